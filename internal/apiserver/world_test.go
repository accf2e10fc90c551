package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

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
	edith     = userN(5) // auditor
	engineers = groupN(1)
	apiTeam   = groupN(2) // in engineers
	viewers   = groupN(3)
	auditors  = groupN(4)
	people    = []identity.UserID{ada, barbara, linus, mallory, edith}
)

const (
	apiURL   = "https://git.example.test/payments/api"
	payments = `project: payments
roles:
  developer: ["00000000-0000-4000-9000-000000000001"]
  viewer: ["00000000-0000-4000-9000-000000000003"]
repositories:
  - url: https://git.example.test/payments/api
  - url: https://git.example.test/payments/legacy
resources:
  - app: ledger
    url: http://ledger.example.test
    assertion: {audience: ledger}
`
	projectID identity.ProjectID = "p-aaaaaaaaaaaaaaaa"
)

// world is the API over an engine and sessions that are the real ones, with workspaces and a log in memory.
type world struct {
	t          *testing.T
	engine     *access.Engine
	sessions   *session.Manager
	grants     *grant.Manager
	grantsDown atomic.Bool
	rows       *rows
	audit      *memoryLog
	workspaces *memoryWorkspaces
	site       *httptest.Server
	executed   identity.WorkspaceID
	snapshots  *memorySnapshots
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, audit: &memoryLog{}, rows: &rows{}, snapshots: snapshotOfAda()}
	w.workspaces = &memoryWorkspaces{entries: map[identity.WorkspaceID]*memoryWorkspace{}}
	policies, err := policy.Parse(policy.Source{Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = access.New(access.Config{
		Facts: access.Facts{
			Directory: people1(), Projects: projects(t), Policies: policies, Sessions: session.NewSet(nil, nil),
			Bounds: access.Bounds{Stale: time.Hour, Close: time.Hour},
		},
		Audit: w.audit, Log: slog.New(slog.DiscardHandler),
		Class: func(id identity.WorkspaceID) string {
			row, _ := w.workspaces.Get(id)
			return row.Class
		},
	})
	w.sessions = session.NewManager(session.Config{
		Rows: w.rows, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Publish: func(set *session.Set, users []identity.UserID, _ feed.Seq) {
			w.engine.Publish(func(f access.Facts) access.Facts { f.Sessions = set; return f }, access.Touched{Users: users})
		},
	})
	if err := w.sessions.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.startGrants()
	w.serve()
	return w
}

func people1() *directory.Snapshot {
	s, _ := directory.Empty().With(directory.Change{
		Reset: directory.Everything, AsOf: time.Now(),
		Users: []directory.User{
			{ID: ada, Name: "Ada Lovelace", UserName: "ada@contoso.example", Mail: "ada@contoso.example", Enabled: true},
			{ID: barbara, Name: "Barbara Liskov", UserName: "barbara@contoso.example", Enabled: true},
			{ID: linus, Name: "Linus Torvalds", UserName: "linus@contoso.example", Enabled: true},
			{ID: mallory, Name: "Mallory", UserName: "mallory@contoso.example", Enabled: true},
			{ID: edith, Name: "Edith Clarke", UserName: "edith@contoso.example", Enabled: true},
		},
		Groups: []directory.Group{
			{ID: engineers, Name: "payments-engineers", Security: true, Assigned: true},
			{ID: apiTeam, Name: "payments-api-team", Security: true},
			{ID: viewers, Name: "payments-viewers", Security: true, Assigned: true},
			{ID: auditors, Name: "auditors", Security: true, Assigned: true},
		},
		Members: []directory.Membership{
			{Group: engineers, Member: directory.Member{User: ada}},
			{Group: engineers, Member: directory.Member{Group: apiTeam}},
			{Group: apiTeam, Member: directory.Member{User: barbara}},
			{Group: viewers, Member: directory.Member{User: linus}},
			{Group: auditors, Member: directory.Member{User: edith}},
		},
	})
	return s
}

func projects(t *testing.T) *project.Set {
	result, err := project.Parse(project.Input{
		Revision: project.Revision{Number: 1, Projects: map[string]string{"payments.yaml": payments}},
		Names:    []project.Name{{Name: "payments", ID: projectID}}, Tenant: tenant,
		Global: map[project.Role][]source.Located{project.Auditor: {{Text: auditors.Object}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.Set
}

// serve puts the API on a site that takes who asks from a header: identifying is another package's affair.
func (w *world) serve() {
	routes := Routes(Config{
		Access: w.engine, Workspaces: w.workspaces, Sessions: w.sessions, Preview: preview, Grants: w.grants, Audit: w.audit, Log: slog.New(slog.DiscardHandler),
		Proofs: memoryProofs{}, SignInTests: oneTrial{}, Settings: settingsOf(), Registries: &memoryRegistries{}, Snapshots: w.snapshots,
		Exec: func(_ http.ResponseWriter, _ *http.Request, id identity.WorkspaceID) error {
			w.executed = id
			return nil
		},
		App:      func(name string) string { return "https://" + name + ".apps.example.test/" },
		Terminal: func(id identity.WorkspaceID) string { return "https://t-" + id.Label() + ".example.test/" },
	})
	site := web.Site{Name: "test", Routes: routes, Identify: func(r *http.Request) (identity.Principal, error) {
		name := r.Header.Get("As")
		for _, u := range people {
			if u.Object == name {
				return person(u), nil
			}
		}
		if name == "operator" {
			return identity.Principal{Kind: identity.Operator}, nil
		}
		return identity.Principal{}, nil
	}}
	handler, err := site.Handler(web.Config{Access: w.engine, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.site = httptest.NewUnstartedServer(handler)
	w.site.Config.ConnContext = web.WithConn
	w.site.Start()
	w.t.Cleanup(w.site.Close)
}

func sessionOf(u identity.UserID) identity.SessionID { return identity.SessionID("s-" + u.Object) }
func signInID(u identity.UserID) identity.SignInID   { return identity.SignInID("i-" + u.Object) }

func person(u identity.UserID) identity.Principal {
	return identity.Principal{Kind: identity.Person, User: u, Session: sessionOf(u)}
}

// as is a client of the API for a user; the zero user is the operator.
func (w *world) as(u identity.UserID) *api.Client {
	name := cmp.Or(u.Object, "operator")
	client := &http.Client{Transport: header{"As", name, w.site.Client().Transport}}
	return &api.Client{URL: w.site.URL, HTTP: client}
}

var operator identity.UserID

type header struct {
	name, value string
	next        http.RoundTripper
}

func (h header) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return h.next.RoundTrip(r)
}

// change publishes a directory change.
func (w *world) change(c directory.Change) {
	next, touched := w.engine.Facts().Directory.With(c)
	w.engine.Publish(func(f access.Facts) access.Facts { f.Directory = next; return f }, access.Touched{All: touched.All, Users: touched.Users})
}

// status is the status of an API error.
func status(err error) int {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Status
	}
	return 0
}

// rows is the storage of sessions, which can be told to fail.
type rows struct {
	mu   sync.Mutex
	fail error
}

func (*rows) LoadSessions(context.Context) (signIns []session.SignIn, sessions []session.Session, _ feed.Seq, _ error) {
	now := time.Now()
	for _, u := range people {
		signIns = append(signIns, session.SignIn{
			ID: signInID(u), User: u, At: now, Expires: now.Add(12 * time.Hour), Strength: "mfa",
			Refresh: []byte("refresh-token-of-" + u.Object), TenantSession: "tenant-session-of-" + u.Object,
		})
		sessions = append(sessions, session.Session{
			ID: sessionOf(u), SignIn: signInID(u), User: u, Kind: session.Browser, Created: now,
			Secret: session.HashSecret("cookie-of-" + u.Object),
		})
	}
	return signIns, sessions, 1, nil
}

func (r *rows) SaveSessions(context.Context, []session.SignIn, []session.Session, feed.Entry, ...audit.Event) (feed.Seq, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return 1, r.fail
}

func (*rows) ReadSessions(context.Context, []string) ([]session.SignIn, []session.Session, error) {
	return nil, nil, nil
}

func (*rows) SessionBySecret(context.Context, [32]byte) ([]session.SignIn, []session.Session, error) {
	return nil, nil, nil
}

func (*rows) NoteUse(context.Context, map[identity.SessionID]time.Time) error { return nil }

// memoryLog is an audit log in memory.
type memoryLog struct {
	mu     sync.Mutex
	events []audit.Event
}

func (l *memoryLog) Durable(_ context.Context, events ...audit.Event) error {
	for _, e := range events {
		l.Later(e)
	}
	return nil
}

func (l *memoryLog) Later(e audit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq = int64(len(l.events))
	l.events = append(l.events, e)
}

func (l *memoryLog) fitting(after int64, f audit.Filter) []audit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []audit.Event
	for _, e := range l.events {
		if e.Seq > after && (f.Person == "" || e.User != nil && e.User.Object == f.Person) && (f.Action == "" || e.Action == f.Action) {
			found = append(found, e)
		}
	}
	return found
}

func (l *memoryLog) Search(_ context.Context, f audit.Filter) (audit.Page, error) {
	found := l.fitting(-1, f)
	if !f.Oldest {
		slices.Reverse(found)
	}
	return audit.Page{Events: found[:min(len(found), f.Limit)]}, nil
}

func (l *memoryLog) After(_ context.Context, after int64, f audit.Filter) ([]audit.Event, int64, error) {
	found := l.fitting(after, f)
	if found = found[:min(len(found), f.Limit)]; len(found) > 0 {
		after = found[len(found)-1].Seq
	}
	return found, after, nil
}

// memoryProofs answer the least that there is.
type memoryProofs struct{}

func (memoryProofs) Verify(context.Context) (api.Verification, error) {
	return api.Verification{OK: true, Text: "consistent"}, nil
}

func (memoryProofs) Export(_ context.Context, from int64, to io.Writer) error {
	_, err := fmt.Fprintf(to, "{\"seq\":%d}\n", from)
	return err
}

func (memoryProofs) ProveInclusion(_ context.Context, seq int64) (audit.Inclusion, error) {
	return audit.Inclusion{Seq: seq}, nil
}

func (memoryProofs) ProveConsistency(_ context.Context, old, new int64) (audit.Consistency, error) {
	return audit.Consistency{Old: old, New: new}, nil
}

func (memoryProofs) Key(context.Context) (string, error) { return "a key", nil }

func (memoryProofs) Forget(context.Context, string, audit.Event) (int64, error) { return 3, nil }

// memoryWorkspaces are records and lines alone.
type memoryWorkspaces struct {
	mu      sync.Mutex
	entries map[identity.WorkspaceID]*memoryWorkspace
}

type memoryWorkspace struct {
	row   workspace.Workspace
	lines []workspace.Line
	subs  []chan workspace.Line
}

func (m *memoryWorkspaces) Create(_ context.Context, o workspace.Order) (workspace.Workspace, error) {
	now := time.Now()
	row := workspace.Workspace{
		ID: identity.NewWorkspaceID(), Owner: o.Owner, OwnerName: o.OwnerName, Project: o.Project, Repository: o.Repository,
		Ref: o.Ref, Name: "api", Session: o.Session, Desired: workspace.WantRunning, Phase: workspace.Preparing, Created: now, Changed: now,
		Details: o.Details,
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[row.ID] = &memoryWorkspace{row: row}
	return row, nil
}

func (m *memoryWorkspaces) Get(id identity.WorkspaceID) (workspace.Workspace, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return workspace.Workspace{}, false
	}
	return e.row, true
}

func (m *memoryWorkspaces) List() (list []workspace.Workspace) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		list = append(list, e.row)
	}
	return list
}

func (m *memoryWorkspaces) Want(_ context.Context, id identity.WorkspaceID, want workspace.Desired, _ audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return problem.New(problem.NotFound, "gone")
	}
	e.row.Desired = want
	return nil
}

func (m *memoryWorkspaces) Follow(id identity.WorkspaceID) ([]workspace.Line, <-chan workspace.Line, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan workspace.Line, 16)
	e := m.entries[id]
	e.subs = append(e.subs, c)
	return slices.Clone(e.lines), c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		e.subs = slices.DeleteFunc(e.subs, func(x chan workspace.Line) bool { return x == c })
	}
}

// say adds a line to a workspace's story and moves its phase.
func (m *memoryWorkspaces) say(id identity.WorkspaceID, phase workspace.Phase, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	e.row.Phase = phase
	line := workspace.Line{At: time.Now(), Phase: phase, Text: text}
	e.lines = append(e.lines, line)
	for _, c := range e.subs {
		c <- line
	}
}
