package directory

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/server"
)

const (
	secret   = "only this test knows"
	tenantID = identity.TenantID(entrasim.ContosoTenantID)
)

// simulated is a tenant behind a real socket.
type simulated struct {
	*entrasim.Tenant
	url   string
	calls atomic.Int64 // of Graph
}

func newTenant(t testing.TB, size entrasim.Size) *simulated {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &simulated{url: fmt.Sprintf("http://tenant.localhost:%d", l.Addr().(*net.TCPAddr).Port)}
	org := entrasim.Contoso(entrasim.Sample{Secret: secret}).Grown(size)
	if s.Tenant, err = entrasim.New(entrasim.Config{URL: s.url, Organisation: org, Dial: server.Dial, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1.0/") {
			s.calls.Add(1)
		}
		s.ServeHTTP(w, r)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(l) }() // it ends with Close
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the tenant: %v", err)
		}
		web.Close()
		<-served
	})
	return s
}

// truth is the tenant's directory, as the sources of it can be told: what a complete and correct copy holds.
func (s *simulated) truth() directory.Change {
	var c directory.Change
	for _, u := range s.Users() {
		c.Users = append(c.Users, directory.User{ID: identity.UserID{Tenant: tenantID, Object: u.ID}, Name: u.DisplayName, UserName: u.UserPrincipalName,
			Mail: u.Mail, Enabled: u.AccountEnabled, SignInsFrom: s.SignInsValidFrom(u.ID)})
	}
	groups := s.Groups()
	is := map[string]bool{}
	for _, g := range groups {
		is[g.ID] = true
	}
	app, _ := s.App(entrasim.LanyardAppID)
	assignments, assigned := s.Assignments(entrasim.LanyardAppID), map[string]bool{}
	for _, a := range assignments {
		assigned[a.PrincipalID] = true
	}
	member := func(id string) directory.Member {
		if is[id] {
			return directory.Member{Group: identity.GroupID{Tenant: tenantID, Object: id}}
		}
		return directory.Member{User: identity.UserID{Tenant: tenantID, Object: id}}
	}
	for _, g := range groups {
		id := identity.GroupID{Tenant: tenantID, Object: g.ID}
		c.Groups = append(c.Groups, directory.Group{ID: id, Name: g.DisplayName, Security: true, Assigned: assigned[g.ID]})
		for _, m := range g.Members {
			c.Members = append(c.Members, directory.Membership{Group: id, Member: member(m)})
		}
	}
	for _, r := range app.AppRoles {
		if r.Disabled {
			continue
		}
		role := identity.AppRole(tenantID, r.Value)
		c.Groups = append(c.Groups, directory.Group{ID: role, Name: "app role " + r.Value})
		for _, a := range assignments {
			if a.AppRoleID == r.ID {
				c.Members = append(c.Members, directory.Membership{Group: role, Member: member(a.PrincipalID)})
			}
		}
	}
	return c
}

// differs says, field by field, where a copy is not what the tenant has; "" when it is. Who was deleted and can be
// restored may be left, disabled: the copy need not forget them.
func (s *simulated) differs(copied *directory.Snapshot) string {
	all := s.truth()
	want, _ := directory.Empty().With(all)
	for u := range want.Users() {
		got, ok := copied.User(u.ID)
		if !ok {
			return fmt.Sprintf("%s %s is missing", u.ID, u.UserName)
		}
		if *got != *u {
			return fmt.Sprintf("%s is %+v, and at the tenant %+v", u.ID, *got, *u)
		}
	}
	for u := range copied.Users() {
		if _, ok := want.User(u.ID); !ok && u.Active() {
			return fmt.Sprintf("%s %s is enabled, and not at the tenant", u.ID, u.UserName)
		}
	}
	for g := range want.AllGroups() {
		got, ok := copied.Group(g.ID)
		_, role := g.ID.AppRole()
		if !ok || got.Name != g.Name || !role && (got.Security != g.Security || got.Assigned != g.Assigned) {
			return fmt.Sprintf("the group %s is %+v, and at the tenant %+v", g.ID.Object, got, *g)
		}
		if is, should := s.members(copied, g.ID), s.members(want, g.ID); !slices.Equal(is, should) {
			return fmt.Sprintf("in %s (%s) are %v, and at the tenant %v", g.Name, g.ID.Object, is, should)
		}
	}
	for g := range copied.AllGroups() {
		if _, ok := want.Group(g.ID); !ok {
			return fmt.Sprintf("the group %s %s is not at the tenant", g.ID.Object, g.Name)
		}
	}
	for u := range want.Users() {
		if is, should := objects(copied.Groups(u.ID)), objects(want.Groups(u.ID)); !slices.Equal(is, should) {
			return fmt.Sprintf("%s is in %v, and at the tenant in %v", u.UserName, is, should)
		}
	}
	return ""
}

// members lists what a group contains and is there, by object ID.
func (s *simulated) members(d *directory.Snapshot, g identity.GroupID) (ids []string) {
	for m := range d.Members(g) {
		u, known := d.User(m.User)
		_, group := d.Group(m.Group)
		if known && s.there(u.ID.Object) || group {
			ids = append(ids, m.User.Object+m.Group.Object)
		}
	}
	slices.Sort(ids)
	return ids
}

// there reports that a user is at the tenant, not in its recycle bin.
func (s *simulated) there(id string) bool { _, ok := s.User(id); return ok }

func objects(groups []identity.GroupID) (ids []string) {
	for _, g := range groups {
		ids = append(ids, g.Object)
	}
	slices.Sort(ids)
	return ids
}

// eventually waits, generously, for what is about to happen, and tells what it was last when it does not.
func eventually(t testing.TB, what string, differs func() string) {
	t.Helper()
	last := ""
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = differs(); last == "" {
			return
		}
	}
	t.Fatalf("%s: %s", what, last)
}
