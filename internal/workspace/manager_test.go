package workspace_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is a runtime, and the doors and agents of its workspaces, that fail when they are told to. The real ones are
// tested in workspace/sandbox and in test/.
type faulty struct {
	mu       sync.Mutex
	runs     map[identity.WorkspaceID]bool // every workspace that exists, and whether it runs
	fail     map[string]error              // by method
	hold     chan struct{}                 // Start waits for it, or for its context
	started  int
	setups   int
	sessions int
	packs    int    // checkouts that were packed
	unpack   string // what the agent says of a branch that comes in; empty: it knows no checkouts
	status   int    // with what status
	deleted  []identity.WorkspaceID
	work     string // what the agent says is not saved
}

func newFaulty() *faulty {
	return &faulty{runs: map[identity.WorkspaceID]bool{}, fail: map[string]error{}}
}

func (f *faulty) failing(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[method] = err
}

func (f *faulty) Name() string                { return "faulty" }
func (f *faulty) Check(context.Context) error { return nil }

func (f *faulty) Start(ctx context.Context, s workspace.Spec, _ func(string)) error {
	f.mu.Lock()
	hold, err := f.hold, f.fail["Start"]
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[s.ID] = true
	f.started++
	return nil
}

func (f *faulty) Stop(_ context.Context, id identity.WorkspaceID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.runs[id]; there {
		f.runs[id] = false
	}
	return f.fail["Stop"]
}

func (f *faulty) Delete(_ context.Context, id identity.WorkspaceID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail["Delete"]; err != nil {
		return err
	}
	delete(f.runs, id)
	f.deleted = append(f.deleted, id)
	return nil
}

func (f *faulty) List(context.Context) ([]workspace.Observed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []workspace.Observed
	for id, running := range f.runs {
		list = append(list, workspace.Observed{ID: id, Running: running})
	}
	return list, nil
}

func (f *faulty) Listen(context.Context, identity.WorkspaceID, int) (string, error) { return "", nil }
func (f *faulty) Wait(ctx context.Context, _ identity.WorkspaceID) error            { return ctx.Err() }
func (f *faulty) Close(identity.WorkspaceID)                                        {}
func (f *faulty) Remove(identity.WorkspaceID) error                                 { return nil }
func (f *faulty) Client(identity.WorkspaceID) http.RoundTripper                     { return f }

// RoundTrip is the agent.
func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := httptest.NewRecorder()
	switch {
	case r.URL.Path == "/v1/setup" && f.fail["Setup"] != nil:
		_, _ = io.WriteString(answer, `{"error":"fatal: repository not found"}`+"\n")
	case r.URL.Path == "/v1/setup":
		f.setups++
		_, _ = io.WriteString(answer, `{"phase":"clone","text":"cloning"}`+"\n"+`{"done":true}`+"\n")
	case r.URL.Path == "/v1/work":
		_, _ = io.WriteString(answer, f.work)
	case r.URL.Path == "/v1/checkout/pack" && f.unpack != "":
		f.packs++
		fmt.Fprintf(answer, `{"commit":"%040x","format":"sha1"}`+"\n", f.packs)
	case r.URL.Path == "/v1/checkout/unpack" && f.unpack != "":
		if in, _ := io.ReadAll(r.Body); strings.Contains(string(in), `"branch":"agent/`) {
			answer.WriteHeader(f.status)
			_, _ = io.WriteString(answer, f.unpack)
			break
		}
		_, _ = io.WriteString(answer, "{}")
	}
	return answer.Result(), nil
}

func (f *faulty) ForWorkspace(context.Context, identity.SessionID, identity.WorkspaceID, identity.ProjectID) (identity.SessionID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "s-first", f.fail["ForWorkspace"]
}

func (f *faulty) Ensure(_ context.Context, id identity.SessionID, _ identity.UserID, _ identity.WorkspaceID, _ identity.ProjectID) (identity.SessionID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions++
	return id, f.fail["Ensure"]
}

func (f *faulty) EndSession(context.Context, identity.SessionID, string, ...audit.Event) session.Ended {
	return session.Ended{}
}

type world struct {
	gave  int // how often secrets were, under mu
	t     *testing.T
	f     *faulty
	rows  *store.Store
	m     *workspace.Manager
	end   func()
	mu    sync.Mutex
	inUse bool
	limit time.Duration
	note  func(*workspace.Details) // of what is prepared
	// getting is what preparing waits for, the image say; nil: nothing.
	getting func(context.Context, workspace.Say) error

	rules   workspace.Rules
	runtime workspace.Runtime // nil: f
	later   time.Duration     // how far the manager's clock is ahead
	ahead   ahead
	warned  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	rows := storetest.SQLite(t).Open(t, "test")
	w := &world{t: t, f: newFaulty(), rows: rows, limit: time.Hour}
	w.start()
	return w
}

// start makes a manager on the same rows and runtime, as a restarted server does.
func (w *world) start() {
	w.t.Helper()
	w.m = workspace.NewManager(workspace.Config{
		Rows: w.rows, Runtime: cmp.Or(w.runtime, workspace.Runtime(w.f)), Rules: w.rules, Class: classOf, Now: w.now, Warn: w.warn, Doors: w.f, Sessions: w.f, Log: slog.New(slog.DiscardHandler),
		Prepare: func(ctx context.Context, _ workspace.Workspace, say workspace.Say) (workspace.Prepared, error) {
			if w.getting != nil {
				if err := w.getting(ctx, say); err != nil {
					return workspace.Prepared{}, err
				}
			}
			spec, err := w.ahead.start()
			if err != nil {
				return workspace.Prepared{}, err
			}
			return workspace.Prepared{Spec: spec, Setup: agentapi.Setup{Name: "api"}, Note: w.note, Secret: map[string]string{"TOKEN": "x"}, Gives: func(context.Context) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.gave++
				return nil
			}}, nil
		},
		Warm: w.ahead.list, PrepareWarm: w.ahead.prepare,
		Timeout: func(workspace.Workspace) time.Duration {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.limit
		},
		// As the server does: it looks the workspace up, so the manager must not hold its lock here.
		InUse: func(id identity.WorkspaceID) bool {
			w.m.Get(id)
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.inUse
		},
	})
	if err := w.m.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { w.m.Run(ctx); close(done) }()
	w.end = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(func() { w.end() })
}

func (w *world) create() workspace.Workspace {
	w.t.Helper()
	row, err := w.m.Create(w.t.Context(), workspace.Order{
		Owner: identity.UserID{Tenant: "t", Object: "ada"}, OwnerName: "Ada", Project: "p-aaaaaaaaaaaaaaaa", Repository: "https://git.example.test/payments/api",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// until waits for a phase; "" is for the workspace to be gone.
func (w *world) until(id identity.WorkspaceID, phase workspace.Phase) workspace.Workspace {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		row, ok := w.m.Get(id)
		if ok && row.Phase == phase || !ok && phase == "" {
			return row
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("never %q: %+v", phase, row)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *world) want(id identity.WorkspaceID, d workspace.Desired) {
	w.t.Helper()
	if err := w.m.Want(w.t.Context(), id, d, audit.Event{Time: time.Now(), Action: "test"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	if row.Name != "api" {
		t.Errorf("checkout %q", row.Name)
	}
	w.until(row.ID, workspace.Running)
	lines, _, stop := w.m.Follow(row.ID)
	stop()
	if len(lines) < 3 || lines[len(lines)-1].Text != "Ready." {
		t.Errorf("lines: %v", lines)
	}
	w.want(row.ID, workspace.WantStopped)
	w.until(row.ID, workspace.Stopped)
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Running)
	w.want(row.ID, workspace.WantDeleted)
	w.until(row.ID, "")
	if rows, _, err := w.rows.LoadWorkspaces(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("rows left: %v %v", rows, err)
	}
	if err := w.m.Want(t.Context(), row.ID, workspace.WantRunning, audit.Event{}); problem.KindOf(err) != problem.NotFound {
		t.Errorf("%v", err)
	}
}

func TestFailedStartIsToldAndNotRepeated(t *testing.T) {
	for _, step := range []string{"Start", "Setup", "Ensure"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			w.f.failing(step, problem.New(problem.Unavailable, "bubblewrap is missing"))
			row := w.create()
			got := w.until(row.ID, workspace.Stopped)
			if got.Message == "" || got.Desired != workspace.WantStopped || strings.Contains(got.Message, "Something failed inside") {
				t.Errorf("%+v", got)
			}
			w.f.failing(step, nil)
			w.want(row.ID, workspace.WantRunning)
			if got := w.until(row.ID, workspace.Running); got.Message != "" {
				t.Errorf("an old message: %q", got.Message)
			}
		})
	}
}

func TestStopDuringStart(t *testing.T) {
	w := newWorld(t)
	w.f.hold = make(chan struct{})
	row := w.create()
	w.until(row.ID, workspace.Creating)
	w.want(row.ID, workspace.WantStopped)
	w.until(row.ID, workspace.Stopped)
	if w.f.started != 0 {
		t.Error("it started all the same")
	}
}

func TestDeleteIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	w.until(row.ID, workspace.Running)
	w.f.failing("Delete", errors.New("device busy"))
	w.want(row.ID, workspace.WantDeleted)
	w.until(row.ID, workspace.Stopped)
	w.f.failing("Delete", nil)
	w.until(row.ID, "")
}

func TestNobodyInIt(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	w.until(row.ID, workspace.Running)
	w.mu.Lock()
	w.limit = time.Nanosecond
	w.mu.Unlock()
	w.until(row.ID, workspace.Stopped)
	w.mu.Lock()
	w.inUse = true
	w.mu.Unlock()
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Running)
}

// What ended by itself is seen, and started again where it is wanted.
func TestEndedByItself(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	w.until(row.ID, workspace.Running)
	w.f.mu.Lock()
	w.f.runs[row.ID] = false
	started := w.f.started
	w.f.mu.Unlock()
	deadline := time.Now().Add(30 * time.Second)
	for {
		w.f.mu.Lock()
		again := w.f.started > started
		w.f.mu.Unlock()
		if again {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody noticed")
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.until(row.ID, workspace.Running)
}

func TestAfterARestart(t *testing.T) {
	w := newWorld(t)
	running, stopped := w.create(), w.create()
	w.until(running.ID, workspace.Running)
	w.until(stopped.ID, workspace.Running)
	w.want(stopped.ID, workspace.WantStopped)
	w.until(stopped.ID, workspace.Stopped)
	w.end()
	const leftover identity.WorkspaceID = "w-zzzzzzzzzzzzzzzz"
	w.f.mu.Lock()
	w.f.runs[leftover] = true
	setups := w.f.setups
	w.f.mu.Unlock()
	w.start()
	w.until(running.ID, workspace.Running)
	w.until(stopped.ID, workspace.Stopped)
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.f.runs[leftover] {
		t.Error("what no record knows goes on running")
	}
	if _, kept := w.f.runs[leftover]; !kept {
		t.Error("its files are gone")
	}
	if w.f.setups != setups {
		t.Error("what ran on was set up anew")
	}
}

func TestStopAll(t *testing.T) {
	w := newWorld(t)
	a, b := w.create(), w.create()
	w.until(a.ID, workspace.Running)
	w.until(b.ID, workspace.Running)
	w.m.StopAll(t.Context())
	for _, id := range []identity.WorkspaceID{a.ID, b.ID} {
		if row, _ := w.m.Get(id); row.Phase != workspace.Stopped {
			t.Errorf("%s is %s", id, row.Phase)
		}
	}
}
