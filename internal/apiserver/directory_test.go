package apiserver

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestDirectoryShowsAUserAndWhatFollows(t *testing.T) {
	w := newWorld(t)
	from := time.Now().UTC().Truncate(time.Second).Add(-24 * time.Hour)
	role := identity.AppRole(tenant, "Payments.Lead")
	w.change(directory.Change{
		Users:   []directory.User{{ID: barbara, Name: "Barbara Liskov", UserName: "barbara@contoso.example", Enabled: true, SignInsFrom: from}},
		Groups:  []directory.Group{{ID: role, Name: "app role Payments.Lead", Security: true, Assigned: true}},
		Members: []directory.Membership{{Group: role, Member: directory.Member{Group: apiTeam}}},
		Blocks:  []directory.Block{{User: mallory}},
	})
	for _, who := range []identity.UserID{edith, operator} {
		e, err := w.as(who).DirectoryEntry(t.Context(), "barbara")
		if err != nil || e.User == nil {
			t.Fatal(e, err)
		}
		u := e.User
		if u.Object != barbara.Object || !u.Active || u.Blocked || !u.SignInsFrom.Equal(from) || u.SignIns != 1 || !slices.Equal(u.DirectGroups, []string{apiTeam.Object}) {
			t.Errorf("the record is %+v", u.DirectoryUser)
		}
		if len(u.Groups) != 2 || u.Groups[1].Name != "payments-engineers" || !slices.Equal(u.Groups[1].Path, []string{"payments-engineers", "payments-api-team"}) {
			t.Errorf("the groups are %+v", u.Groups)
		}
		if len(u.AppRoles) != 1 || u.AppRoles[0].ID != "app-role:Payments.Lead" {
			t.Errorf("the app roles are %+v", u.AppRoles)
		}
		if len(u.Projects) != 1 || u.Projects[0].Role != "developer" || u.Projects[0].Via != "payments-engineers" {
			t.Errorf("the projects are %+v", u.Projects)
		}
	}
	e, err := w.as(operator).DirectoryEntry(t.Context(), "app-role:Payments.Lead")
	if err != nil || e.Group == nil || e.Group.AppRole != "Payments.Lead" || e.Group.Groups != 1 || e.Group.Below != 1 {
		t.Errorf("the app role is %+v, %v", e.Group, err)
	}
	e, err = w.as(operator).DirectoryEntry(t.Context(), "payments-api-team")
	if err != nil || e.Group == nil || len(e.Group.In) != 2 || e.Group.AppRole != "" {
		t.Errorf("the group is %+v, %v", e.Group, err)
	}
	var m api.DirectoryUserDetail
	if err := w.as(operator).Do(t.Context(), http.MethodGet, "/users/"+url.PathEscape("mallory@contoso.example"), nil, nil, &m); err != nil || m.Active || !m.Blocked || !m.Enabled {
		t.Errorf("mallory is %+v, %v", m, err)
	}
	d, err := w.as(operator).Directory(t.Context())
	if err != nil || d.State != "fresh" || d.Users != 5 || d.Groups != 4 || d.AppRoles != 1 || d.Blocked != 1 || d.Memberships != 6 {
		t.Errorf("the directory is %+v, %v", d, err)
	}
}

// Whether somebody is in the directory is told to nobody who may not read it.
func TestStrangersLearnNothingOfTheDirectory(t *testing.T) {
	w := newWorld(t)
	said := map[string]bool{}
	for _, path := range []string{"/users/ada", "/users/nobody-at-all", "/groups/" + engineers.Object, "/groups/none", "/groups/none/members", "/users", "/groups", "/directory",
		"/directory/entry?name=ada", "/directory/entry?name=nobody-at-all"} {
		base, query, _ := split(path)
		err := w.as(ada).Do(t.Context(), http.MethodGet, base, query, nil, nil)
		if status(err) != http.StatusForbidden {
			t.Errorf("%s answers %v", path, err)
			continue
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("the denials differ: %v", said)
	}
}

func split(path string) (base string, query url.Values, err error) {
	u, err := url.Parse(path)
	if err != nil {
		return "", nil, err
	}
	return u.Path, u.Query(), nil
}

func TestDirectoryPagesMissNobody(t *testing.T) {
	w := newWorld(t)
	var c directory.Change
	many := identity.GroupID{Tenant: tenant, Object: "00000000-0000-4000-9000-000000009999"}
	c.Groups = []directory.Group{{ID: many, Name: "many"}}
	for n := 100; n < 1350; n++ {
		c.Users = append(c.Users, directory.User{ID: userN(n), Name: fmt.Sprint(n), Enabled: true})
		c.Members = append(c.Members, directory.Membership{Group: many, Member: directory.Member{User: userN(n)}})
	}
	c.Members = append(c.Members, directory.Membership{Group: many, Member: directory.Member{Group: engineers}},
		directory.Membership{Group: many, Member: directory.Member{User: userN(9)}})
	w.change(c)
	users, err := w.as(edith).DirectoryUsers(t.Context())
	if err != nil || len(users) != 1255 || !slices.IsSortedFunc(users, func(a, b api.DirectoryUser) int { return strings.Compare(a.Object, b.Object) }) {
		t.Errorf("%d users, %v", len(users), err)
	}
	members, err := w.as(edith).DirectoryMembers(t.Context(), many.Object)
	if err != nil || len(members) != 1252 {
		t.Errorf("%d members, %v", len(members), err)
	}
	if i := slices.IndexFunc(members, func(m api.DirectoryMember) bool { return m.User == userN(9).Object }); i < 0 || members[i].Known {
		t.Error("a member that is not in the directory is not shown as such")
	}
	groups, err := w.as(edith).DirectoryGroups(t.Context())
	if err != nil || len(groups) != 5 {
		t.Errorf("%d groups, %v", len(groups), err)
	}
}
