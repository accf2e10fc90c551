package session_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// counting counts the look-ups of sessions.
type counting struct {
	session.Rows
	asked atomic.Int64
}

func (c *counting) SessionBySecret(ctx context.Context, secret [32]byte) ([]session.SignIn, []session.Session, error) {
	c.asked.Add(1)
	return c.Rows.SessionBySecret(ctx, secret)
}

// other is a second replica on the same rows.
func (w *world) other() (*session.Manager, *counting) {
	rows := &counting{Rows: w.rows}
	var m *session.Manager
	m = session.NewManager(session.Config{
		Rows: rows, Publish: func(*session.Set, []identity.UserID, feed.Seq) {}, Idle: time.Hour, Lifetime: 12 * time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.clock }, Shared: true,
		Reach: func(ctx context.Context) error { // what the follower would have handled by then
			signIns, sessions, seq, err := w.rows.LoadSessions(ctx)
			if err != nil {
				return err
			}
			e := feed.Entry{Topic: feed.Sessions, Seq: seq}
			for i := range signIns {
				e.Keys = append(e.Keys, string(signIns[i].ID))
			}
			for i := range sessions {
				e.Keys = append(e.Keys, string(sessions[i].ID))
			}
			return m.Follow(ctx, e)
		},
	})
	return m, rows
}

// TestAttack18RevokedBeforeItWasHeardOf: what another replica made before a revocation ends by it, also when this one had
// not heard of it yet.
func TestAttack18RevokedBeforeItWasHeardOf(t *testing.T) {
	w := newWorld(t)
	m, _ := w.other()
	made, cookie := w.begin(t)
	if done := m.EndUser(t.Context(), made.User, "it was revoked", audit.Event{}); done.SignIns != 1 || done.Unrecorded {
		t.Fatalf("ended %+v", done)
	}
	if _, _, dead := m.Set().Live(made.ID, w.clock); dead != "it was revoked" {
		t.Errorf("here it is %q", dead)
	}
	third, _ := w.other()
	door := session.Identifier{Sessions: third, Now: func() time.Time { return w.clock }}
	if who, err := door.Cookie(with(cookie), site); err != nil || who.Session != "" {
		t.Errorf("a third replica lets in %v, %v", who, err)
	}
}

func with(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: session.CookieName, Value: cookie})
	return r
}

// TestSessionOfAnotherReplica works before the feed has told of it, and one that was ended does not.
func TestSessionOfAnotherReplica(t *testing.T) {
	w := newWorld(t)
	m, rows := w.other()
	door := session.Identifier{Sessions: m, Now: func() time.Time { return w.clock }}
	made, cookie := w.begin(t)
	for range 3 {
		who, err := door.Cookie(with(cookie), site)
		if err != nil || who.Session != made.ID {
			t.Fatalf("%v %v", who, err)
		}
	}
	if n := rows.asked.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	ended, cookie := w.begin(t)
	w.EndSession(t.Context(), ended.ID, "signed out", audit.Event{})
	if who, err := door.Cookie(with(cookie), site); err != nil || who.Session != "" {
		t.Errorf("an ended session of another replica identifies %v, %v", who, err)
	}
	if row, _, _ := m.Set().Session(ended.ID); row == nil || row.EndedWhy != "signed out" {
		t.Error("it is not known why it ended")
	}
}

// TestStrangersCannotMakeTheDatabaseWork: cookies that nobody made cost few queries, whatever their number.
func TestStrangersCannotMakeTheDatabaseWork(t *testing.T) {
	w := newWorld(t)
	m, rows := w.other()
	door := session.Identifier{Sessions: m, Now: func() time.Time { return w.clock }}
	ask := func(cookie string) {
		if who, err := door.Cookie(with(cookie), site); err != nil || who.Session != "" {
			t.Fatalf("%q identifies %v, %v", cookie, who, err)
		}
	}
	for range 100 {
		ask("not-one-of-ours")
	}
	if n := rows.asked.Load(); n != 0 {
		t.Errorf("what cannot be a cookie of ours was looked up %d times", n)
	}
	one := cookie()
	for range 100 {
		ask(one)
	}
	if n := rows.asked.Load(); n != 1 {
		t.Errorf("one unknown cookie was looked up %d times", n)
	}
	for range 5000 {
		ask(cookie())
	}
	if n := rows.asked.Load(); n > 50 {
		t.Errorf("5000 cookies in a second were looked up %d times", n)
	}
	made, good := w.begin(t)
	w.clock = w.clock.Add(time.Second)
	if who, err := door.Cookie(with(good), site); err != nil || who.Session != made.ID {
		t.Errorf("a second later: %v, %v", who, err)
	}
}

func cookie() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// TestUseElsewhereCounts: a session that is used at one replica is not idle at the other, and one that nobody uses ends.
func TestUseElsewhereCounts(t *testing.T) {
	w := newWorld(t)
	made, _ := w.begin(t)
	m, _ := w.other()
	if err := m.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	start := w.clock
	if err := w.rows.NoteUse(t.Context(), map[identity.SessionID]time.Time{made.ID: start.Add(50 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	run := func(at time.Duration) bool {
		w.clock = start.Add(at)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		m.Run(ctx)
		_, _, dead := m.Set().Live(made.ID, w.clock)
		return dead == ""
	}
	if !run(70 * time.Minute) {
		t.Error("a session that was used at another replica was ended as idle")
	}
	if run(150 * time.Minute) {
		t.Error("a session that nobody used was not ended")
	}
}

// TestExpiredIsForgotten: a sign-in that nobody ended leaves memory a day after it expired; a workspace's session waits
// for its owner.
func TestExpiredIsForgotten(t *testing.T) {
	w := newWorld(t)
	made, _ := w.begin(t)
	kept, _ := w.begin(t)
	ws, err := w.ForWorkspace(t.Context(), kept.ID, "w-1", "p")
	if err != nil {
		t.Fatal(err)
	}
	set := w.Set().Without(w.clock.Add(12*time.Hour - time.Second))
	if _, _, ok := set.Session(made.ID); !ok {
		t.Error("what has not expired is forgotten")
	}
	set = w.Set().Without(w.clock.Add(13 * time.Hour))
	if _, _, ok := set.Session(made.ID); ok {
		t.Error("an expired session is kept for ever")
	}
	if _, ok := set.SignIn(made.SignIn); ok {
		t.Error("an expired sign-in is kept for ever")
	}
	if _, _, ok := set.Session(kept.ID); ok {
		t.Error("the expired browser session beside a workspace's is kept for ever")
	}
	if _, signIn, ok := set.Session(ws); !ok || signIn == nil {
		t.Error("a workspace's session was forgotten")
	}
}

// TestSlowRenewalAfterAnEnding does not put a refresh token back.
func TestSlowRenewalAfterAnEnding(t *testing.T) {
	w := newWorld(t)
	made, _ := w.begin(t)
	row, _ := w.Set().SignIn(made.SignIn)
	renewed := *row
	renewed.Refresh = []byte("sealed")
	w.EndSignIn(t.Context(), row.ID, "signed out", audit.Event{})
	if _, err := w.rows.SaveSessions(t.Context(), []session.SignIn{renewed}, nil, feed.Entry{Topic: feed.Sessions}); err != nil {
		t.Fatal(err)
	}
	rows, _, err := w.rows.ReadSessions(t.Context(), []string{string(row.ID)})
	if err != nil || len(rows) != 1 || len(rows[0].Refresh) != 0 || rows[0].Ended.IsZero() {
		t.Errorf("%+v %v", rows, err)
	}
}
