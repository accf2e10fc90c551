package access

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

const tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

// Fixed object IDs: %d is the number of the user or group.
func userN(n int) identity.UserID {
	return identity.UserID{Tenant: tenant, Object: fmt.Sprintf("00000000-0000-4000-8000-%012d", n)}
}

func groupN(n int) identity.GroupID {
	return identity.GroupID{Tenant: tenant, Object: fmt.Sprintf("00000000-0000-4000-9000-%012d", n)}
}

var (
	ada       = userN(1) // developer, directly
	barbara   = userN(2) // developer, through a nested group
	linus     = userN(3) // viewer
	mallory   = userN(4) // nothing
	engineers = groupN(1)
	apiTeam   = groupN(2) // in engineers
	viewers   = groupN(3)
)

const payments = `project: payments
roles:
  developer: ["00000000-0000-4000-9000-000000000001"]
  viewer: ["00000000-0000-4000-9000-000000000003"]
repositories:
  - url: https://git.example.test/payments/api
resources:
  - app: ledger
    url: http://ledger.example.test
    assertion: {audience: ledger}
`

// recorder is an audit log in memory that can be told to fail.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	fail   error
}

func (r *recorder) Durable(_ context.Context, events ...audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.events = append(r.events, events...)
	return nil
}

func (r *recorder) Later(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) all() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// world is an engine over small, real facts.
type world struct {
	t      testing.TB
	engine *Engine
	audit  *recorder
	mu     sync.Mutex
	clock  time.Time
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, audit: &recorder{}, clock: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	snapshot, _ := directory.Empty().With(directory.Change{
		Reset: directory.Everything, AsOf: w.clock,
		Users: []directory.User{
			{ID: ada, Name: "Ada Lovelace", UserName: "ada@contoso.example", Enabled: true},
			{ID: barbara, Name: "Barbara Liskov", UserName: "barbara@contoso.example", Enabled: true},
			{ID: linus, Name: "Linus Torvalds", UserName: "linus@contoso.example", Enabled: true},
			{ID: mallory, Name: "Mallory", UserName: "mallory@contoso.example", Enabled: true},
		},
		Groups: []directory.Group{
			{ID: engineers, Name: "payments-engineers", Security: true, Assigned: true},
			{ID: apiTeam, Name: "payments-api-team", Security: true},
			{ID: viewers, Name: "payments-viewers", Security: true, Assigned: true},
		},
		Members: []directory.Membership{
			{Group: engineers, Member: directory.Member{User: ada}},
			{Group: engineers, Member: directory.Member{Group: apiTeam}},
			{Group: apiTeam, Member: directory.Member{User: barbara}},
			{Group: viewers, Member: directory.Member{User: linus}},
		},
	})
	policies, err := policy.Parse(policy.Source{Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = New(Config{
		Facts: Facts{
			Directory: snapshot, Projects: w.projects(payments), Policies: policies, Sessions: w.sessions(), Grants: grant.NewSet(nil),
			Bounds: Bounds{Stale: 5 * time.Minute, Close: 15 * time.Minute},
		},
		Audit: w.audit, Log: slog.New(slog.DiscardHandler), Now: w.now,
	})
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

const projectID identity.ProjectID = "p-aaaaaaaaaaaaaaaa"

func (w *world) projects(text string) *project.Set {
	w.t.Helper()
	result, err := project.Parse(project.Input{
		Revision: project.Revision{Number: 1, Projects: map[string]string{"payments.yaml": text}},
		Names:    []project.Name{{Name: "payments", ID: projectID}}, Tenant: tenant,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return result.Set
}

func sessionOf(u identity.UserID) identity.SessionID { return identity.SessionID("s-" + u.Object) }
func siteOf(u identity.UserID) identity.SessionID    { return identity.SessionID("s-site-" + u.Object) }
func signInOf(u identity.UserID) identity.SignInID   { return identity.SignInID("i-" + u.Object) }

func (w *world) sessions() *session.Set {
	var signIns []session.SignIn
	var sessions []session.Session
	for _, u := range []identity.UserID{ada, barbara, linus, mallory} {
		signIns = append(signIns, session.SignIn{ID: signInOf(u), User: u, At: w.clock, Expires: w.clock.Add(12 * time.Hour)})
		sessions = append(sessions, session.Session{ID: sessionOf(u), SignIn: signInOf(u), User: u, Kind: session.Browser, Created: w.clock})
		sessions = append(sessions, session.Session{ID: siteOf(u), SignIn: signInOf(u), Parent: sessionOf(u), User: u, Kind: session.Site, Created: w.clock})
	}
	return session.NewSet(signIns, sessions)
}

func person(u identity.UserID) identity.Principal {
	return identity.Principal{Kind: identity.Person, User: u, Session: sessionOf(u)}
}

var repo = identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: projectID}

func read(u identity.UserID) Request {
	return Request{Principal: person(u), Action: identity.RepoRead, Resource: repo}
}

func write(u identity.UserID) Request {
	return Request{Principal: person(u), Action: identity.RepoWrite, Resource: repo}
}

// change publishes a directory change.
func (w *world) change(c directory.Change) int {
	next, touched := w.engine.Facts().Directory.With(c)
	return w.engine.Publish(func(f Facts) Facts { f.Directory = next; return f }, Touched{All: touched.All, Users: touched.Users})
}

func membership(g identity.GroupID, m directory.Member, removed bool) directory.Change {
	return directory.Change{Members: []directory.Membership{{Group: g, Member: m, Removed: removed}}}
}

func disabled(u identity.UserID) directory.Change {
	return directory.Change{Users: []directory.User{{ID: u, Name: "Ada Lovelace", UserName: "ada@contoso.example"}}}
}

// open opens a lease that must be allowed.
func (w *world) open(r Request, bye func(Reason)) (context.Context, *Lease) {
	w.t.Helper()
	ctx, l, err := w.engine.Open(context.Background(), r, bye)
	if err != nil {
		w.t.Fatalf("open %s %s: %v", r.Action, r.Resource, err)
	}
	return ctx, l
}

// waitCut waits until a cut is over.
func waitCut(t testing.TB, l *Lease) Reason {
	t.Helper()
	select {
	case <-l.Cut():
	case <-time.After(30 * time.Second):
		t.Fatal("the lease was not cut")
	}
	return l.Reason()
}
