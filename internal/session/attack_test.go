package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// stalled is a store that takes nothing until it is told to.
type stalled struct {
	session.Rows
	begun chan struct{} // closed when somebody waits for the store
	free  chan struct{}
	once  sync.Once
}

func (s *stalled) SaveSessions(ctx context.Context, a []session.SignIn, b []session.Session, e feed.Entry, ev ...audit.Event) (feed.Seq, error) {
	s.once.Do(func() { close(s.begun) })
	select {
	case <-s.free:
		return s.Rows.SaveSessions(ctx, a, b, e, ev...)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// TestAttack18EndingDoesNotWaitForTheStore: while the store holds up somebody's sign-in, an ending is in force at once,
// and what was being given meanwhile does not bring back what it ended.
func TestAttack18EndingDoesNotWaitForTheStore(t *testing.T) {
	for name, end := range map[string]func(*session.Manager, session.Session, identity.SessionID){
		"sign-in": func(m *session.Manager, row session.Session, _ identity.SessionID) {
			m.EndSignIn(t.Context(), row.SignIn, "revoked")
		},
		"user": func(m *session.Manager, _ session.Session, _ identity.SessionID) {
			m.EndUser(t.Context(), ada, "revoked")
		},
		"session": func(m *session.Manager, _ session.Session, ws identity.SessionID) {
			m.EndSession(t.Context(), ws, "revoked")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row, _ := w.begin(t)
			ws, err := w.ForWorkspace(t.Context(), row.ID, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
			if err != nil {
				t.Fatal(err)
			}
			rows := &stalled{Rows: w.rows, begun: make(chan struct{}), free: make(chan struct{})}
			m := w.managerOn(rows)
			if err := m.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			var under sync.WaitGroup
			under.Go(func() { // a refresh token that is being kept
				if err := m.Renew(t.Context(), row.SignIn, []byte("renewed")); err != nil {
					t.Error(err)
				}
			})
			<-rows.begun
			ended := make(chan struct{})
			under.Go(func() { defer close(ended); end(m, row, ws) })
			dead := func() bool { _, _, why := m.Set().Live(ws, w.clock); return why == "revoked" }
			for late := time.Now().Add(8 * time.Second); !dead(); time.Sleep(time.Millisecond) {
				if time.Now().After(late) { // sooner than the ending gives up waiting for the store
					t.Error("the ending waits for the store")
					break
				}
			}
			close(rows.free)
			under.Wait()
			if !dead() {
				t.Error("what was given meanwhile revived what was ended")
			}
		})
	}
}

// TestAttack18UnrecordedEndingHolds: another replica, which does not know of an ending that could not be recorded yet,
// writes the same sign-in and session; following it does not bring them back here.
func TestAttack18UnrecordedEndingHolds(t *testing.T) {
	w := newWorld(t)
	row, _ := w.begin(t)
	w.rows.before.Store(true)
	if done := w.EndUser(t.Context(), ada, "revoked"); !done.Unrecorded {
		t.Fatalf("%+v", done)
	}
	w.EndSession(t.Context(), row.ID, "revoked")
	w.rows.before.Store(false)
	if err := w.Follow(t.Context(), feed.Entry{Topic: feed.Sessions, Keys: []string{string(row.SignIn), string(row.ID)}}); err != nil {
		t.Fatal(err)
	}
	if w.alive(row.ID) {
		t.Error("the sign-in lives again")
	}
}

// TestAttack18AdoptionRevivesNothing: a replica that has not heard yet that a workspace's session was ended adopts it for
// the owner's next sign-in; it stays ended.
func TestAttack18AdoptionRevivesNothing(t *testing.T) {
	w := newWorld(t)
	row, _ := w.begin(t)
	ws, err := w.ForWorkspace(t.Context(), row.ID, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	w.EndSignIn(t.Context(), row.SignIn, "you signed out")
	other := w.manager()
	if err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.EndSession(t.Context(), ws, "revoked")
	if _, _, err := other.Begin(t.Context(), session.SignIn{User: ada, At: w.clock}, site, audit.Event{Action: "signin"}); err != nil {
		t.Fatal(err)
	}
	restarted := w.manager()
	if err := restarted.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, dead := restarted.Set().Live(ws, w.clock); dead == "" {
		t.Error("a revoked session came back")
	}
}
