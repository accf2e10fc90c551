package session_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ada = identity.UserID{Tenant: "t", Object: "ada"}

// failing is the real store, which can be told to fail: before it writes, or after.
type failing struct {
	*store.Store
	before, after atomic.Bool
}

func (f *failing) SaveSessions(ctx context.Context, a []session.SignIn, b []session.Session, e feed.Entry, ev ...audit.Event) (feed.Seq, error) {
	if f.before.Load() {
		return 0, errors.New("the disk is full")
	}
	seq, err := f.Store.SaveSessions(ctx, a, b, e, ev...)
	if f.after.Load() {
		return 0, errors.New("the connection broke after the commit")
	}
	return seq, err
}

type world struct {
	*session.Manager
	rows  *failing
	clock time.Time
	path  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.SQLite(t)
	w := &world{clock: time.Now().Truncate(time.Second), path: db.Config.SQLite}
	rows := db.Open(t, "test")
	w.rows = &failing{Store: rows}
	w.Manager = w.manager()
	return w
}

func (w *world) manager() *session.Manager { return w.managerOn(w.rows) }

func (w *world) managerOn(rows session.Rows) *session.Manager {
	return session.NewManager(session.Config{
		Rows: rows, Publish: func(*session.Set, []identity.UserID, feed.Seq) {}, Idle: time.Hour, Lifetime: 12 * time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.clock },
	})
}

const site = "http://lanyard.localhost"

func (w *world) begin(t *testing.T) (session.Session, string) {
	t.Helper()
	row, cookie, err := w.Begin(t.Context(), session.SignIn{User: ada, Name: "Ada", At: w.clock}, site, audit.Event{Action: "signin"})
	if err != nil {
		t.Fatal(err)
	}
	return row, cookie
}

func (w *world) alive(id identity.SessionID) bool {
	_, _, dead := w.Set().Live(id, w.clock)
	return dead == ""
}

func TestWhatGivesWaitsForTheStore(t *testing.T) {
	w := newWorld(t)
	w.rows.before.Store(true)
	_, _, err := w.Begin(t.Context(), session.SignIn{User: ada, At: w.clock}, site, audit.Event{})
	if problem.KindOf(err) != problem.Unavailable {
		t.Errorf("a sign-in that a restart would forget: %v", err)
	}
	for range w.Set().All {
		t.Error("it was published all the same")
	}
}

func TestWhatTakesDoesNot(t *testing.T) {
	for _, kept := range []bool{false, true} {
		w := newWorld(t)
		row, _ := w.begin(t)
		w.rows.before.Store(!kept)
		w.rows.after.Store(kept)
		done := w.EndUser(t.Context(), ada, "revoked", audit.Event{Time: w.clock, Action: "revoke"})
		if done.SignIns != 1 || !done.Unrecorded {
			t.Errorf("%+v", done)
		}
		if w.alive(row.ID) {
			t.Error("access goes on because the disk is full")
		}
		w.rows.before.Store(false)
		w.rows.after.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { w.Run(ctx); close(stopped) }()
		deadline := time.Now().Add(30 * time.Second)
		for recorded := false; !recorded; {
			signIns, _, _, err := w.rows.LoadSessions(t.Context())
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("the ending was never recorded: %v", err)
			}
			recorded = len(signIns) == 1 && !signIns[0].Ended.IsZero()
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		<-stopped
	}
}

func TestRestart(t *testing.T) {
	w := newWorld(t)
	row, cookie := w.begin(t)
	again := w.manager()
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, ok := again.Set().BySecret(session.HashSecret(cookie))
	if !ok || found.ID != row.ID {
		t.Errorf("after a restart the cookie finds %v", found)
	}
}

func TestIdlenessEndsBrowserSessionsOnly(t *testing.T) {
	w := newWorld(t)
	row, _ := w.begin(t)
	ws, err := w.ForWorkspace(t.Context(), row.ID, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := w.Handover(t.Context(), row.ID, "http://t-aaaaaaaaaaaaaaaa.localhost", "w-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	child, _ := w.Set().BySecret(session.HashSecret(cookie))
	w.clock = w.clock.Add(50 * time.Minute)
	w.Touch(child.ID) // a use of the terminal is a use of the browser
	w.clock = w.clock.Add(50 * time.Minute)
	w.tick(t)
	if !w.alive(row.ID) {
		t.Error("ended although it was in use")
	}
	w.clock = w.clock.Add(2 * time.Hour)
	w.tick(t)
	if w.alive(row.ID) || w.alive(child.ID) {
		t.Error("an idle browser session, or what came from it, lives on")
	}
	if !w.alive(ws) {
		t.Error("idleness of the browser ended the workspace's access")
	}
}

// tick lets the upkeep run once.
func (w *world) tick(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	w.Run(ctx)
}

func TestNextSignInAdopts(t *testing.T) {
	w := newWorld(t)
	row, _ := w.begin(t)
	ws, err := w.ForWorkspace(t.Context(), row.ID, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	w.EndSignIn(t.Context(), row.SignIn, "you signed out")
	if w.alive(ws) {
		t.Fatal("the workspace has access after its sign-in ended")
	}
	if _, err := w.Ensure(t.Context(), ws, ada, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa"); problem.KindOf(err) != problem.SignInNeeded {
		t.Errorf("a session for an owner who is not signed in: %v", err)
	}
	w.begin(t)
	if !w.alive(ws) {
		t.Error("the owner's next sign-in did not adopt the workspace")
	}
	w.EndSession(t.Context(), ws, "revoked") // ended by itself: no sign-in brings it back
	w.begin(t)
	if w.alive(ws) {
		t.Error("a revoked session came back")
	}
	fresh, err := w.Ensure(t.Context(), ws, ada, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil || fresh == ws || !w.alive(fresh) {
		t.Errorf("starting it again gives %q, %v", fresh, err)
	}
}

func TestLifetimeIsAbsolute(t *testing.T) {
	w := newWorld(t)
	old := session.SignIn{User: ada, At: w.clock.Add(-13 * time.Hour)}
	if _, _, err := w.Begin(t.Context(), old, site, audit.Event{}); problem.KindOf(err) != problem.Denied {
		t.Errorf("a sign-in that is too old: %v", err)
	}
	row, _ := w.begin(t)
	w.clock = w.clock.Add(12 * time.Hour)
	w.Touch(row.ID)
	if w.alive(row.ID) {
		t.Error("use prolongs the lifetime")
	}
}

func TestEndTenantSession(t *testing.T) {
	w := newWorld(t)
	row, _, err := w.Begin(t.Context(), session.SignIn{User: ada, At: w.clock, TenantSession: "sid-1"}, site, audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	if done := w.EndTenantSession(t.Context(), "", "nobody"); done.SignIns != 0 {
		t.Error("an empty session ID ended somebody")
	}
	if done := w.EndTenantSession(t.Context(), "sid-1", "you signed out at the tenant"); done.SignIns != 1 || w.alive(row.ID) {
		t.Errorf("%+v", done)
	}
}

// A cookie of one site is nobody on another, and so is one of an ended session.
func TestCookieIsForItsSite(t *testing.T) {
	w := newWorld(t)
	row, cookie := w.begin(t)
	door := session.Identifier{Sessions: w.Manager, Now: func() time.Time { return w.clock }}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: session.CookieName, Value: cookie})
	if p, err := door.Cookie(r, site); err != nil || p.User != ada || p.Session != row.ID {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := door.Cookie(r, "http://t-aaaaaaaaaaaaaaaa.localhost"); err != nil || p.Kind != identity.Anonymous {
		t.Errorf("on another site: %+v %v", p, err)
	}
	w.EndSignIn(t.Context(), row.SignIn, "over")
	if p, _ := door.Cookie(r, site); p.Kind != identity.Anonymous {
		t.Errorf("after its end: %+v", p)
	}
}
