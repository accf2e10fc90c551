package provisioning

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

const roleType = "WindowsAzureActiveDirectoryRole"

// rolesOf lists the app roles of a user, assigned directly or through a group of which it is an immediate member.
func (v *view) rolesOf(user string) []entrasim.AppRole {
	seen := map[string]entrasim.AppRole{}
	for _, principal := range append([]string{user}, v.assignedGroupsOf[user]...) {
		for _, id := range v.assigned[principal] {
			if role, known := v.Roles[id]; known {
				seen[id] = role
			}
		}
	}
	out := make([]entrasim.AppRole, 0, len(seen))
	for _, r := range seen {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b entrasim.AppRole) int { return cmp.Compare(a.Value, b.Value) })
	return out
}

// posted are the roles of a user who is created.
func (m RoleMode) posted(roles []entrasim.AppRole) []any {
	list := []any{}
	for _, r := range roles {
		entry := map[string]any{"primary": m == Single, "type": roleType, "value": r.Value}
		switch m {
		case Complex:
			entry["displayName"] = r.DisplayName
		case Assertive:
			entry["display"] = r.DisplayName
		}
		list = append(list, entry)
		if m == Single {
			break // the function takes one; which of several is not said
		}
	}
	return list
}

// changed are the operations for a user whose roles became others. Only Assertive takes any away.
func (m RoleMode) changed(d dialect, roles []entrasim.AppRole) []operation {
	if m == Assertive {
		return []operation{{Op: "replace", Path: "roles", Value: m.posted(roles)}}
	}
	var list []any
	for _, r := range roles {
		text, err := json.Marshal(struct {
			ID          string `json:"id"`
			Value       string `json:"value"`
			DisplayName string `json:"displayName"`
		}{r.ID, r.Value, r.DisplayName})
		if err != nil {
			continue // three strings always encode
		}
		list = append(list, map[string]any{"value": string(text)})
		if m == Single {
			break
		}
	}
	if len(list) == 0 {
		return nil
	}
	return []operation{{Op: d.op("add"), Path: "roles", Value: list}}
}

func roleKey(roles []entrasim.AppRole) string {
	var values []string
	for _, r := range roles {
		values = append(values, r.Value)
	}
	return strings.Join(values, "\x00")
}
