// Package gatewaytest is the world that the tests of the gateway's protocols stand in: real facts with a few people,
// a real engine, a server that takes every request for one person's workspace, and the audit events that come of it.
package gatewaytest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Tenant is the world's tenant.
const Tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

// The people: Ada is a developer of the project "payments", Grace a maintainer, Linus a viewer, Mallory has no role.
const (
	Ada     = "67224801-dc28-4774-a21b-13838a428c41"
	Grace   = "0f2c1f53-8a0b-4f8e-9a4e-57a1f1f6f0c4"
	Linus   = "d5ac9ca3-37e5-4b44-af12-215fc036213f"
	Mallory = "46b97c33-8e81-4418-9ac9-0076d7f28cdd"
)

const (
	developers  = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11"
	maintainers = "b3f1a0de-5b0e-4c57-8f0b-1f6f2f9f6d0e"
	viewers     = "d479f946-7a5f-4a38-b595-e91fe6bcc788"
)

// World holds the facts.
type World struct {
	Engine *access.Engine
	Audit  *Recorder
	Log    *slog.Logger

	workspaces map[string]identity.Principal
	browsers   map[string]identity.Principal
}

// File is the project file of a world with these resources.
func File(resources string) string {
	return "project: payments\nroles:\n  developer: [\"" + developers + "\"]\n  maintainer: [\"" + maintainers + "\"]\n  viewer: [\"" + viewers + "\"]\n" + resources
}

// New returns a world with one project file: the given text follows the project's name and roles.
func New(t testing.TB, resources string) *World {
	t.Helper()
	parsed, err := project.Parse(project.Input{Tenant: Tenant, Revision: project.Revision{Projects: map[string]string{"payments.yaml": File(resources)}}})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := policy.Parse(policy.Source{Tenant: Tenant})
	if err != nil {
		t.Fatal(err)
	}
	payments, _ := parsed.Set.ByName("payments")
	w := &World{Audit: &Recorder{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		workspaces: map[string]identity.Principal{}, browsers: map[string]identity.Principal{}}
	var signIns []session.SignIn
	var sessions []session.Session
	people := directory.Change{
		AsOf: time.Now().Add(time.Hour), // as if read just now for as long as a test runs
		Groups: []directory.Group{
			{ID: group(developers), Name: "payments-engineers", Security: true, Assigned: true},
			{ID: group(maintainers), Name: "payments-leads", Security: true, Assigned: true},
			{ID: group(viewers), Name: "payments-viewers", Security: true, Assigned: true},
		},
		Members: []directory.Membership{
			{Group: group(developers), Member: directory.Member{User: User(Ada)}},
			{Group: group(maintainers), Member: directory.Member{User: User(Grace)}},
			{Group: group(viewers), Member: directory.Member{User: User(Linus)}},
		},
	}
	for object, name := range map[string]string{Ada: "Ada Lovelace", Grace: "Grace Hopper", Linus: "Linus Pauling", Mallory: "Mallory Stone"} {
		people.Users = append(people.Users, directory.User{
			ID: User(object), Name: name, UserName: object[:4] + "@contoso.example", Enabled: true,
		})
		p := identity.Principal{
			Kind: identity.Person, User: User(object), Session: identity.NewSessionID(), Workspace: identity.NewWorkspaceID(), Project: payments.ID,
		}
		w.workspaces[object] = p
		signIn := session.SignIn{ID: identity.NewSignInID(), User: p.User, Name: name, At: time.Now(), Expires: time.Now().Add(time.Hour)}
		browser := identity.Principal{Kind: identity.Person, User: p.User, Session: identity.NewSessionID()}
		w.browsers[object] = browser
		signIns = append(signIns, signIn)
		sessions = append(sessions, session.Session{
			ID: browser.Session, SignIn: signIn.ID, User: p.User, Kind: session.Site, Site: "http://t.localhost", Created: time.Now(),
		})
		sessions = append(sessions, session.Session{
			ID: p.Session, SignIn: signIn.ID, User: p.User, Kind: session.Workspace, Workspace: p.Workspace, Project: p.Project, Created: time.Now(),
		})
	}
	snapshot, _ := directory.Empty().With(people)
	w.Engine = access.New(access.Config{
		Facts: access.Facts{
			Directory: snapshot, Projects: parsed.Set, Policies: policies, Sessions: session.NewSet(signIns, sessions),
			Bounds: access.Bounds{Stale: time.Hour, Close: 2 * time.Hour},
		},
		Audit: w.Audit, Log: w.Log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Engine.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

func group(object string) identity.GroupID {
	return identity.GroupID{Tenant: Tenant, Object: object}
}

// User is the ID of one of the people.
func User(object string) identity.UserID { return identity.UserID{Tenant: Tenant, Object: object} }

// Workspace is the session of a person's workspace.
func (w *World) Workspace(object string) identity.Principal { return w.workspaces[object] }

// Browser is the session of a person's browser.
func (w *World) Browser(object string) identity.Principal { return w.browsers[object] }

// Leave takes Ada out of the developers, and says how many leases that cut.
func (w *World) Leave() int {
	return w.change(directory.Membership{Group: group(developers), Member: directory.Member{User: User(Ada)}, Removed: true})
}

// Join puts her back.
func (w *World) Join() {
	w.change(directory.Membership{Group: group(developers), Member: directory.Member{User: User(Ada)}})
}

func (w *World) change(m directory.Membership) int {
	return w.Engine.Publish(func(f access.Facts) access.Facts {
		f.Directory, _ = f.Directory.With(directory.Change{Members: []directory.Membership{m}})
		return f
	}, access.Touched{Users: []identity.UserID{m.Member.User}})
}

// Serve serves routes as the machine site does, taking every request for this principal's.
func (w *World) Serve(t testing.TB, as identity.Principal, routes ...web.Route) *httptest.Server {
	t.Helper()
	site := web.Site{
		Name: "machine", Routes: routes, Guard: gateway.Guard,
		Identify: func(*http.Request) (identity.Principal, error) { return as, nil },
	}
	handler, err := site.Handler(web.Config{Access: w.Engine, Log: w.Log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return web.WithConn(ctx, c) }
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ErrorLog = slog.NewLogLogger(w.Log.Handler(), slog.LevelDebug)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// Eventually waits until something is so, and fails the test when it is not within half a minute.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("%s: not within half a minute", what)
}

// Recorder keeps audit events in memory.
type Recorder struct {
	mu     sync.Mutex
	events []audit.Event
}

// Durable implements access.Recorder.
func (r *Recorder) Durable(_ context.Context, events ...audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
	return nil
}

// Later implements access.Recorder.
func (r *Recorder) Later(e audit.Event) { _ = r.Durable(context.Background(), e) }

// Find returns the events of an action with an outcome.
func (r *Recorder) Find(action identity.Action, outcome audit.Outcome) []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e audit.Event) bool {
		return e.Action != string(action) || e.Outcome != outcome
	})
}
