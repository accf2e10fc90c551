package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// naive is a user as a model that knows nothing of JSON, paths or schemas.
type naive struct {
	texts  map[string]string // by path
	mails  map[string]string // by type
	roles  map[string]bool
	active bool
}

// paths of texts, in the spellings that Entra and others use, each with the name in the model.
var spellings = [][2]string{
	{"displayName", "displayName"}, {"DISPLAYNAME", "displayName"}, {scim.UserURN + ":displayName", "displayName"}, {"externalId", "externalId"},
	{"name.givenName", "givenName"}, {"Name.GIVENNAME", "givenName"}, {scim.EnterpriseURN + ":department", "department"}, {"department", "department"},
	{"manager", "manager"}, {scim.EnterpriseURN + ":manager.value", "manager"},
}

// step makes one operation in a random dialect, and does it to the model.
func (n *naive) step(r *rand.Rand) o {
	op := func(name, path string, value any) o {
		if r.IntN(2) == 0 {
			name = map[string]string{"add": "Add", "replace": "Replace", "remove": "Remove"}[name]
		}
		m := o{"op": name}
		if name != "remove" && name != "Remove" && r.IntN(3) == 0 {
			m["value"] = o{path: value}
			return m
		}
		m["path"] = path
		if value != nil {
			m["value"] = value
		}
		return m
	}
	set := []string{"add", "replace"}[r.IntN(2)]
	value := fmt.Sprint("v", r.IntN(5))
	s := spellings[r.IntN(len(spellings))]
	kind := []string{"work", "home"}[r.IntN(2)]
	role := fmt.Sprint("Role", r.IntN(4))
	mail := fmt.Sprintf("emails[type eq %q].value", kind)
	switch r.IntN(9) {
	case 0:
		n.active = r.IntN(2) == 0
		return op(set, "active", []any{n.active, map[bool]string{true: "True", false: "False"}[n.active]}[r.IntN(2)])
	case 1:
		delete(n.texts, s[1])
		return op("remove", s[0], nil)
	case 2:
		n.mails[kind] = value
		return op(set, mail, value)
	case 3:
		delete(n.mails, kind)
		return op("remove", []string{mail, fmt.Sprintf("emails[type eq %q]", kind)}[r.IntN(2)], nil)
	case 4:
		n.roles[role] = true
		packed, _ := json.Marshal(o{"id": "1", "value": role})
		return op("add", "roles", []any{l{o{"value": role}}, l{o{"value": string(packed)}}, role}[r.IntN(3)])
	case 5:
		delete(n.roles, role)
		if r.IntN(2) == 0 {
			return op("remove", fmt.Sprintf("roles[value eq %q]", role), nil)
		}
		return o{"op": "Remove", "path": "roles", "value": l{o{"value": role}}}
	case 6:
		n.roles = map[string]bool{role: true}
		return op("replace", "roles", l{o{"value": role, "primary": true}})
	}
	n.texts[s[1]] = value
	return op(set, s[0], value)
}

// seen is a resource as the model has it.
func seen(r scim.Resource) naive {
	n := naive{texts: map[string]string{}, mails: map[string]string{}, roles: map[string]bool{}, active: r["active"] != false}
	for name, v := range map[string]string{"displayName": r.Text("displayName"), "externalId": r.Text("externalId"), "givenName": r.Text("name", "givenName"),
		"department": r.Text(scim.EnterpriseURN, "department"), "manager": r.Text(scim.EnterpriseURN, "manager", "value")} {
		if v != "" {
			n.texts[name] = v
		}
	}
	list, _ := r["emails"].(l)
	for _, m := range list {
		n.mails[m.(o)["type"].(string)] = m.(o)["value"].(string)
	}
	for _, role := range r.AppRoles() {
		n.roles[role] = true
	}
	return n
}

// Any sequence of operations, cut into requests at random, makes of a user what the model says.
func TestPatchModel(t *testing.T) {
	const seed = 20261123
	for i := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, i))
		model := naive{texts: map[string]string{}, mails: map[string]string{}, roles: map[string]bool{}, active: true}
		res := scim.Resource{"userName": "u", "active": true}
		for range 10 {
			var ops l
			for range 1 + r.IntN(5) {
				ops = append(ops, model.step(r))
			}
			body, _ := json.Marshal(o{"schemas": l{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops})
			was := res
			p, err := registry.Patch(scim.User, res, body)
			if err != nil {
				t.Fatalf("seed %d, %d: %v of %s", seed, i, err, body)
			}
			stored, _ := json.Marshal(p.Resource) // as the store gives it back
			res = parsed(t, string(stored))
			if got := seen(res); !maps.Equal(got.texts, model.texts) || !maps.Equal(got.mails, model.mails) || !maps.Equal(got.roles, model.roles) || got.active != model.active {
				t.Fatalf("seed %d, %d: %s makes of %v:\n%+v, want\n%+v", seed, i, body, was, got, model)
			}
			again, err := registry.Patch(scim.User, res, body)
			if err != nil || len(ops) == 1 && again.Changed {
				t.Fatalf("seed %d, %d: %s again: changed %v, %v", seed, i, body, again.Changed, err)
			}
		}
	}
}

// Changes of members, carried out one by one, give what the operations say of a set.
func TestMembersModel(t *testing.T) {
	const seed = 20261124
	for i := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, i))
		want, got := map[string]bool{}, map[string]bool{}
		for range 10 {
			var ops l
			for range 1 + r.IntN(5) {
				a, b := fmt.Sprint(r.IntN(8)), fmt.Sprint(r.IntN(8))
				two := l{o{"value": a, "$ref": nil}, o{"value": b}}
				switch r.IntN(6) {
				case 0, 1:
					want[a], want[b] = true, true
					ops = append(ops, o{"op": "Add", "path": "members", "value": two})
				case 2:
					delete(want, a)
					delete(want, b)
					ops = append(ops, o{"op": "Remove", "path": "members", "value": two})
				case 3:
					delete(want, a)
					ops = append(ops, o{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", a)})
				case 4:
					want = map[string]bool{a: true, b: true}
					ops = append(ops, o{"op": "replace", "value": o{"members": two}})
				case 5:
					maps.DeleteFunc(want, func(id string, _ bool) bool { return id > a })
					ids := []string{}
					for id := range 8 {
						if fmt.Sprint(id) > a {
							ids = append(ids, fmt.Sprintf("value eq %q", fmt.Sprint(id)))
						}
					}
					path := fmt.Sprintf("members[value gt %q]", a)
					if len(ids) > 0 && r.IntN(2) == 0 {
						path = "members[" + join(ids) + "]"
					}
					ops = append(ops, o{"op": "remove", "path": path})
				}
			}
			body, _ := json.Marshal(o{"Operations": ops})
			p, err := registry.Patch(scim.Group, scim.Resource{"displayName": "g"}, body)
			if err != nil || p.Changed {
				t.Fatalf("seed %d, %d: %s: %v", seed, i, body, err)
			}
			for _, c := range p.Members {
				switch c.Op {
				case scim.AddMember:
					got[c.Member.Value] = true
				case scim.RemoveMember:
					delete(got, c.Member.Value)
				case scim.RemoveAll:
					clear(got)
				case scim.RemoveMatching:
					maps.DeleteFunc(got, func(id string, _ bool) bool { return c.Where.MatchMember(scim.Member{Value: id}) })
				}
			}
			if !maps.Equal(got, want) {
				t.Fatalf("seed %d, %d: after %s: %v, want %v", seed, i, body, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		}
	}
}

func join(terms []string) string {
	s := terms[0]
	for _, t := range terms[1:] {
		s += " or " + t
	}
	return s
}
