package provisioning

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
	"github.com/lanyardhq/lanyard/test/harness"
)

// expectation is the tenant as the directory and the endpoint should have it.
type expectation struct {
	entrasim.Extract
	direct  map[string][]string // user → object IDs of its groups and app roles
	nested  map[string][]string // group → groups that are direct members
	roles   map[string][]string // user → values of app roles
	inScope map[string]bool
}

// expected reads the tenant. The provisioning service sends the users and groups that are assigned to its application.
func (w *world) expected() expectation {
	w.Helper()
	x, err := w.tenant.Extract(provisioningApp)
	if err != nil {
		w.Fatal(err)
	}
	e := expectation{Extract: x, direct: map[string][]string{}, nested: map[string][]string{}, roles: map[string][]string{}, inScope: map[string]bool{}}
	assigned := map[string][]string{}
	for _, a := range x.Assignments {
		assigned[a.PrincipalID] = append(assigned[a.PrincipalID], a.AppRoleID)
	}
	give := func(user string, ids []string) {
		e.inScope[user] = true
		for _, id := range ids {
			if r, ok := x.Roles[id]; ok && !slices.Contains(e.roles[user], r.Value) {
				e.roles[user] = append(e.roles[user], r.Value)
				e.direct[user] = append(e.direct[user], "app-role:"+r.Value)
			}
		}
	}
	for principal, ids := range assigned {
		if u, ok := x.Users[principal]; ok && !u.Recycled && !u.Purged {
			give(principal, ids)
		}
		for _, m := range x.Groups[principal].Members {
			if _, group := x.Groups[m]; group {
				if len(assigned[m]) > 0 {
					e.nested[principal] = append(e.nested[principal], m)
				}
				continue
			}
			give(m, ids)
			e.direct[m] = append(e.direct[m], principal)
		}
	}
	for _, lists := range []map[string][]string{e.direct, e.nested, e.roles} {
		for _, l := range lists {
			slices.Sort(l)
		}
	}
	return e
}

// assigned reports whether a group is provisioned.
func (e expectation) assigned(group string) bool {
	return !e.Groups[group].Deleted && slices.ContainsFunc(e.Assignments, func(a entrasim.Assignment) bool { return a.PrincipalID == group })
}

// differs compares the directory with the tenant, field by field, and returns the first few differences.
func (w *world) differs(e expectation) (wrong []string) {
	ctx := w.context()
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	users, err := w.Operator.DirectoryUsers(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	there := 0
	for _, u := range users {
		want, known := e.Users[u.Object]
		if known && want.Recycled { // it may be restored, so the directory keeps it
			if u.Active {
				say("%s is active and was deleted", u.UserName)
			}
			continue
		}
		if !known || want.Purged {
			say("%s is in the directory and not in the tenant", u.UserName)
			continue
		}
		there++
		if u.Name != want.DisplayName || u.UserName != want.UserPrincipalName || u.Mail != want.Mail || u.Enabled != want.AccountEnabled {
			say("the directory has %+v of %+v", u, want.User)
		}
		if active := want.AccountEnabled && e.inScope[u.Object]; u.Active != active {
			say("%s is active: %v", u.UserName, u.Active)
		}
		if e.inScope[u.Object] && !slices.Equal(u.DirectGroups, e.direct[u.Object]) {
			say("%s is in %v and not in %v", u.UserName, u.DirectGroups, e.direct[u.Object])
		}
	}
	if live := e.live(); there != live {
		say("the directory has %d users of %d", there, live)
	}
	return append(wrong, w.groupsDiffer(e)...)
}

func (e expectation) live() (n int) {
	for _, u := range e.Users {
		if !u.Recycled && !u.Purged {
			n++
		}
	}
	return n
}

func (w *world) groupsDiffer(e expectation) (wrong []string) {
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	groups, err := w.Operator.DirectoryGroups(w.context())
	if err != nil {
		return []string{err.Error()}
	}
	there := 0
	for _, g := range groups {
		if g.AppRole != "" {
			continue
		}
		there++
		if !e.assigned(g.ID) || g.Name != e.Groups[g.ID].DisplayName {
			say("the directory has the group %+v", g)
		}
		if g.Groups == 0 && len(e.nested[g.ID]) == 0 {
			continue
		}
		members, err := w.Operator.DirectoryMembers(w.context(), g.ID)
		if err != nil {
			return append(wrong, err.Error())
		}
		var nested []string
		for _, m := range members {
			if m.Group != "" {
				nested = append(nested, m.Group)
			}
		}
		slices.Sort(nested)
		if !slices.Equal(nested, e.nested[g.ID]) {
			say("%s contains the groups %v and not %v", g.Name, nested, e.nested[g.ID])
		}
	}
	want := 0
	for id := range e.Groups {
		if e.assigned(id) {
			want++
		}
	}
	if there != want {
		say("the directory has %d groups of %d", there, want)
	}
	return wrong
}

// equal waits until the directory is the tenant, then compares what the endpoint answers with what was sent.
func (w *world) equal(after string, s *provisioning.Service, secret string) {
	w.Helper()
	e := w.expected()
	wrong := w.differs(e)
	for end := time.Now().Add(harness.Wait); len(wrong) > 0 && time.Now().Before(end); wrong = w.differs(e) {
		time.Sleep(50 * time.Millisecond)
	}
	wrong = append(wrong, w.resourcesDiffer(e, s, secret)...)
	for _, line := range wrong[:min(len(wrong), 10)] {
		w.Errorf("after %s: %s", after, line)
	}
	if len(wrong) > 0 {
		w.Fatalf("after %s: %d differences", after, len(wrong))
	}
}

// resourcesDiffer compares the users and groups that the endpoint lists with what the tenant says of them.
func (w *world) resourcesDiffer(e expectation, s *provisioning.Service, secret string) (wrong []string) {
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	targets, settings := s.Targets(), s.Settings()
	users, groups := w.resources("Users", secret), w.resources("Groups", secret)
	for id, u := range e.Users {
		has, followed := users[targets[id]]
		if !followed {
			if e.inScope[id] && u.AccountEnabled {
				say("the endpoint lacks %s", u.UserPrincipalName)
			}
			continue
		}
		if u.Recycled || u.Purged || !e.inScope[id] {
			if provisioning.At(has, "active") != false {
				say("%s is active at the endpoint", u.UserPrincipalName)
			}
			continue
		}
		for path, want := range settings.Users.User(u.User, u.AccountEnabled) {
			if got := provisioning.At(has, path); got != want {
				say("%s: %s is %v at the endpoint and not %v", u.UserPrincipalName, path, got, want)
			}
		}
		const manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"
		if boss := targets[u.Manager]; boss != "" && provisioning.At(has, manager) != boss {
			say("%s: the manager is %v at the endpoint and not %s", u.UserPrincipalName, provisioning.At(has, manager), boss)
		}
	}
	for id, g := range e.Groups {
		has, followed := groups[targets[id]]
		if followed != e.assigned(id) {
			say("the endpoint has %s: %v", g.DisplayName, followed)
		}
		if !followed {
			continue
		}
		for path, want := range settings.Groups.Group(g.Group) {
			if got := provisioning.At(has, path); got != want {
				say("%s: %s is %v at the endpoint and not %v", g.DisplayName, path, got, want)
			}
		}
	}
	return wrong
}

// resources lists what the endpoint has, page by page, without members.
func (w *world) resources(kind, secret string) map[string]map[string]any {
	w.Helper()
	out := map[string]map[string]any{}
	for {
		q := url.Values{"startIndex": {fmt.Sprint(len(out) + 1)}, "count": {"200"}, "excludedAttributes": {"members"}}
		r, err := http.NewRequest(http.MethodGet, w.url+"/scim/v2/"+kind+"?"+q.Encode(), nil)
		if err != nil {
			w.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		resp, err := w.http.Do(r)
		if err != nil {
			w.Fatal(err)
		}
		var page struct {
			TotalResults int
			Resources    []map[string]any
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/scim+json") {
			w.Fatalf("list %s: %s %v", kind, resp.Status, err)
		}
		for _, one := range page.Resources {
			out[one["id"].(string)] = one
		}
		if len(page.Resources) == 0 || len(out) >= page.TotalResults {
			if len(out) != page.TotalResults {
				w.Fatalf("%d of %d %s are listed", len(out), page.TotalResults, kind)
			}
			return out
		}
	}
}
