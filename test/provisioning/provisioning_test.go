package provisioning

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// size is that of the organisation: 1,000 people in 100 groups with LANYARD_SLOW=1.
func size(t *testing.T) (people, groups int) {
	if os.Getenv("LANYARD_SLOW") == "1" {
		return 1000, 100
	}
	t.Log("a small organisation; LANYARD_SLOW=1 provisions 1,000 people in 100 groups")
	return 150, 20
}

func TestTheDirectoryIsTheTenant(t *testing.T) {
	for _, c := range []struct {
		name, database, flag, credential string
		roles                            provisioning.RoleMode
	}{
		{"default dialect/sqlite", "", "", "bearer", provisioning.Assertive},
		{"modern dialect/sqlite", "", "?aadOptscim062020", "client", provisioning.Assertive},
		{"default dialect/postgresql", "postgresql", "", "federated", provisioning.Assertive},
		{"modern dialect/postgresql", "postgresql", "?aadOptscim062020", "bearer", provisioning.Assertive},
	} {
		t.Run(c.name, func(t *testing.T) {
			people, groups := size(t)
			database := ""
			if c.database != "" {
				database = storetest.PostgreSQL(t)
			}
			w := newWorld(t, organisation(people, groups), database)
			s := provisioning.New(provisioning.Config{Source: w.tenant, App: provisioningApp, HTTP: w.http, Backoff: 20 * time.Millisecond})
			if err := s.Configure(provisioning.Settings{
				TenantURL: w.url + "/scim/v2" + c.flag, Credential: w.credential(c.credential), Roles: c.roles, Users: provisioning.ObjectIDUsers(),
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.TestConnection(w.context()); err != nil {
				t.Fatalf("the connection's test: %v", err)
			}
			secret := w.bearer()
			for _, step := range story(people, groups) {
				for _, do := range step.changes {
					if err := do(w.tenant); err != nil {
						t.Fatalf("%s: %v", step.name, err)
					}
				}
				began := time.Now()
				if err := s.Cycle(w.context()); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				took := time.Since(began)
				for _, r := range s.Log() {
					if r.Outcome == provisioning.Failure {
						t.Fatalf("%s: %+v", step.name, r)
					}
				}
				w.equal(step.name, s, secret)
				t.Logf("%s: %d changes sent in %v", step.name, s.Status().Changes, took.Round(time.Millisecond))
			}
		})
	}
}

type step struct {
	name    string
	changes []func(*entrasim.Tenant) error
}

// story is what happens in the tenant, one cycle after each step.
func story(people, groups int) []step {
	each := func(from, to int, do func(t *entrasim.Tenant, n int) error) (all []func(*entrasim.Tenant) error) {
		for n := from; n < to; n++ {
			all = append(all, func(t *entrasim.Tenant) error { return do(t, n) })
		}
		return all
	}
	a, b, c := people/10, people/10*2, people/10*3
	team := func(n int) string { return fmt.Sprintf("team %03d", n) }
	then := func(lists ...[]func(*entrasim.Tenant) error) (all []func(*entrasim.Tenant) error) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	return []step{
		{"the initial cycle", nil},
		{"a cycle without changes", nil},
		{"other names, managers and properties", then(
			each(0, b, func(t *entrasim.Tenant, n int) error {
				return t.ChangeUser(userID(n), func(u *entrasim.User) {
					u.DisplayName, u.GivenName, u.Department = fmt.Sprintf("Renamed %d \"quoted\"", n), "Renamed", "Elsewhere"
					u.Manager = userID(people - 1 - n%5)
					u.More = map[string]string{"employeeId": fmt.Sprintf("N%d", n), "city": "Aachen", "streetAddress": "Markt 1\r\nHinterhaus", "mobile": "+49 3"}
					if n%3 == 0 {
						u.UserPrincipalName, u.Mail = fmt.Sprintf("renamed%d@contoso.example", n), fmt.Sprintf("renamed%d@mail.contoso.example", n)
					}
				})
			}),
			each(0, groups/4, func(t *entrasim.Tenant, n int) error { return t.RenameGroup(groupID(n), "renamed "+team(n)) }))},
		{"other memberships and app roles", then(
			each(0, a, func(t *entrasim.Tenant, n int) error { return t.RemoveMember(groupID(n%groups), userID(n)) }),
			each(a, c, func(t *entrasim.Tenant, n int) error {
				if g, _ := t.Group(groupID((n*7 + 5) % groups)); !has(g.Members, userID(n)) {
					return t.AddMember(g.ID, userID(n))
				}
				return nil
			}),
			each(0, 3, func(t *entrasim.Tenant, n int) error { return t.Assign(provisioningApp, userID(n+1), roleValues[n]) }),
			each(0, 1, func(t *entrasim.Tenant, n int) error { return t.Unassign(provisioningApp, userID(0), "") }))},
		{"disabled", each(a, b, func(t *entrasim.Tenant, n int) error { return t.SetEnabled(userID(n), false) })},
		{"some enabled, others deleted", then(
			each(a, a+a/2, func(t *entrasim.Tenant, n int) error { return t.SetEnabled(userID(n), true) }),
			each(b, c, func(t *entrasim.Tenant, n int) error { return t.DeleteUser(userID(n)) }))},
		{"restored", each(b, c, func(t *entrasim.Tenant, n int) error { return t.RestoreUser(userID(n)) })},
		{"deleted for good", then(
			each(b, b+a/2, func(t *entrasim.Tenant, n int) error { return t.DeleteUser(userID(n)) }),
			each(b, b+a/2, func(t *entrasim.Tenant, n int) error { return t.PurgeUser(userID(n)) }),
			each(groups/2, groups/2+groups/10, func(t *entrasim.Tenant, n int) error { return t.DeleteGroup(groupID(n)) }))},
		{"groups no more assigned", each(0, groups/10, func(t *entrasim.Tenant, n int) error { return t.Unassign(provisioningApp, groupID(groups-1-n), "") })},
		{"newcomers", each(0, a, func(t *entrasim.Tenant, n int) error {
			if _, err := t.CreateUser(entrasim.User{ID: userID(people + n), UserPrincipalName: userName(people + n), AccountEnabled: true}); err != nil {
				return err
			}
			return t.AddMember(groupID(n%(groups/2)), userID(people+n))
		})},
	}
}

func has(list []string, id string) bool {
	for _, s := range list {
		if s == id {
			return true
		}
	}
	return false
}
