package provisioning

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// provisioned runs cycles of a service with these settings after each step, and none may fail.
func (w *world) provisioned(settings provisioning.Settings, steps ...func() error) *provisioning.Service {
	w.Helper()
	s := provisioning.New(provisioning.Config{Source: w.tenant, App: provisioningApp, HTTP: w.http, Backoff: 20 * time.Millisecond})
	if settings.Credential == nil {
		settings.Credential = w.credential("bearer")
	}
	if err := s.Configure(settings); err != nil {
		w.Fatal(err)
	}
	for _, do := range append([]func() error{func() error { return nil }}, steps...) {
		if err := do(); err != nil {
			w.Fatal(err)
		}
		if err := s.Cycle(w.context()); err != nil {
			w.Fatal(err)
		}
		for _, r := range s.Log() {
			if r.Outcome == provisioning.Failure {
				w.Fatalf("%+v", r)
			}
		}
	}
	return s
}

// holders waits until these users, and no others, hold an app role.
func (w *world) holders(role string, users ...string) {
	w.Helper()
	var are []string
	w.eventually("app role "+role+" is held by "+strings.Join(users, ", "), func() bool {
		members, err := w.Operator.DirectoryMembers(w.context(), "app-role:"+role)
		if err != nil {
			return len(users) == 0
		}
		are = nil
		for _, m := range members {
			are = append(are, m.User)
		}
		slices.Sort(are)
		return slices.Equal(are, users)
	})
}

// TestQuirks says what Microsoft's documents and test collections show beside the usual: nulls, a malformed URN, bare
// filters, booleans that are strings, a manager that is one.
func TestQuirks(t *testing.T) {
	w := newWorld(t, organisation(12, 4), storetest.PostgreSQL(t))
	s := w.provisioned(provisioning.Settings{
		TenantURL: w.url + "/scim/v2", Users: provisioning.ObjectIDUsers(), Roles: provisioning.Assertive,
		Quirks: provisioning.Quirks{Nulls: true, MalformedURN: true, StringBooleans: true, BareFilters: true, PlainManager: true},
	},
		func() error { return w.tenant.SetEnabled(userID(3), false) },
		func() error {
			return w.tenant.ChangeUser(userID(4), func(u *entrasim.User) { u.Manager = userID(5); u.More = map[string]string{"city": "Trier"} })
		},
	)
	w.equal("quirks", s, w.bearer())
	if err := s.User(w.context(), userID(4)); err != nil {
		t.Errorf("on demand: %v", err)
	}
}

// TestRoleModes gives and takes app roles by the mapping functions that Entra has.
func TestRoleModes(t *testing.T) {
	one, two := roleValues[0], roleValues[2]
	for _, c := range []struct {
		mode provisioning.RoleMode
		flag string
		// after one is given to user 1, two too, and one is taken again; only one mode says so
		ones, twos []string
	}{
		{provisioning.Single, "", []string{userID(1)}, []string{userID(1)}},
		{provisioning.Complex, "?aadOptscim062020", []string{userID(1)}, []string{userID(1)}},
		{provisioning.Assertive, "", nil, []string{userID(1)}},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			org := organisation(3, 2)
			app := &org.Apps[1]
			app.Assignments = slices.DeleteFunc(app.Assignments, func(a entrasim.Assignment) bool { return a.PrincipalID == userID(0) })
			w := newWorld(t, org, "")
			w.provisioned(provisioning.Settings{TenantURL: w.url + "/scim/v2" + c.flag, Users: provisioning.ObjectIDUsers(), Roles: c.mode},
				func() error { return w.tenant.Assign(provisioningApp, userID(1), one) },
				func() error {
					w.holders(one, userID(1))
					return w.tenant.Assign(provisioningApp, userID(1), two)
				},
				func() error { return w.tenant.Unassign(provisioningApp, userID(1), one) },
			)
			w.holders(one, c.ones...)
			w.holders(two, c.twos...)
		})
	}
}

// TestWhoStandsAlone provisions with Entra's default mapping, by which nobody is who signs in: they have no rights, and
// the status says what to map.
func TestWhoStandsAlone(t *testing.T) {
	w := newWorld(t, organisation(5, 2), "")
	w.provisioned(provisioning.Settings{TenantURL: w.url + "/scim/v2"})
	p, err := w.Operator.Provisioning(w.context())
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, f := range p.Findings {
		said += f.Text + "\n"
	}
	if p.StrayUsers != 5 || !strings.Contains(said, "objectId") || !strings.Contains(said, "externalId") {
		t.Errorf("%d stand alone; it is said: %s", p.StrayUsers, said)
	}
	users, err := w.Operator.DirectoryUsers(w.context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if len(u.DirectGroups) != 0 {
			t.Errorf("%s is in %v", u.UserName, u.DirectGroups)
		}
	}
}
