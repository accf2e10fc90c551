package review_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ada = identity.UserID{Tenant: "contoso", Object: "ada"}

// tenantLog is a log of sign-ins that lags, fails and refuses at will.
type tenantLog struct {
	entries []review.Logged
	err     error
	reads   int
}

func (l *tenantLog) Read(_ context.Context, since time.Time, take func([]review.Logged) error) error {
	l.reads++
	if l.err != nil {
		return l.err
	}
	return take(slices.DeleteFunc(slices.Clone(l.entries), func(e review.Logged) bool { return e.At.Before(since) }))
}

// recorder is an audit log of which only what is reported matters here.
type recorder struct {
	told   []audit.Event
	events []audit.Event
	broken error
}

func (r *recorder) Durable(_ context.Context, events ...audit.Event) error {
	if r.broken == nil {
		r.told = append(r.told, events...)
	}
	return r.broken
}

func (r *recorder) After(_ context.Context, after int64, f audit.Filter) (found []audit.Event, next int64, err error) {
	for i := after + 1; i < int64(len(r.events)); i++ {
		if e := r.events[i]; string(e.Outcome) == f.Outcome {
			found = append(found, e)
		}
	}
	return found, max(after, int64(len(r.events))-1), nil
}

func (r *recorder) Search(context.Context, audit.Filter) (audit.Page, error) {
	return audit.Page{Size: int64(len(r.events))}, nil
}

func (r *recorder) actions() []string {
	var list []string
	for _, e := range r.told {
		list = append(list, e.Action)
	}
	slices.Sort(list)
	return list
}

var errRefused = errors.New("it may not be read")

type world struct {
	*review.Watcher
	t     *testing.T
	rows  *store.Store
	log   *tenantLog
	audit *recorder
	live  []session.SignIn
	now   time.Time
}

func newWorld(t *testing.T, rows *store.Store) *world {
	w := &world{t: t, rows: rows, log: &tenantLog{}, audit: &recorder{}, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.Watcher = review.New(review.Config{
		Rows: rows, Log: w.log, Audit: w.audit, Live: func() []session.SignIn { return w.live }, Logger: slog.New(slog.DiscardHandler),
		Refused: func(err error) (string, bool) { return "ask an administrator", errors.Is(err, errRefused) },
		Now:     func() time.Time { return w.now },
	})
	if err := w.Count(t.Context()); err != nil { // from here on it is remembered how people sign in
		t.Fatal(err)
	}
	return w
}

// look looks after a while.
func (w *world) look(after time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(after)
	if err := w.Look(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) arrives(id string, edit func(*review.Remembered)) review.Remembered {
	w.t.Helper()
	now := w.now
	r := review.Remembered{ID: id, Kind: review.SignIn, User: ada, Name: "Ada", At: now, Proved: now.Add(-time.Second), IP: "203.0.113.7", Device: "Firefox on Linux"}
	if edit != nil {
		edit(&r)
	}
	if _, err := w.rows.Remember(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) found() (flagged, joined []string) {
	w.t.Helper()
	from, to := w.now.Add(-1000*time.Hour), w.now.Add(1000*time.Hour)
	remembered, err := w.rows.RememberedSince(w.t.Context(), from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range remembered {
		if !r.Flagged.IsZero() && r.Logged == "" {
			flagged = append(flagged, r.ID)
		}
		if r.LoggedBy != "" {
			joined = append(joined, r.ID+" by "+string(r.LoggedBy))
		}
	}
	entries, err := w.rows.LoggedSince(w.t.Context(), from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Flagged.IsZero() && e.Joined == "" {
			flagged = append(flagged, e.ID)
		}
	}
	slices.Sort(flagged)
	slices.Sort(joined)
	return flagged, joined
}

func (w *world) is(when string, flagged, joined []string) {
	w.t.Helper()
	f, j := w.found()
	if !slices.Equal(f, flagged) || !slices.Equal(j, joined) {
		w.t.Errorf("%s: flagged %q, joined %q", when, f, j)
	}
}

// both runs a story on both databases.
func both(t *testing.T, story func(t *testing.T, w *world)) {
	for name, db := range map[string]func(testing.TB) storetest.Database{"SQLite": storetest.SQLite, "PostgreSQL": storetest.OnPostgreSQL} {
		t.Run(name, func(t *testing.T) { story(t, newWorld(t, db(t).Open(t, "one"))) })
	}
}

func TestWhatTheTenantsLogSaysIsCompared(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.look(0)
		w.arrives("a", nil)
		w.arrives("quiet", func(r *review.Remembered) { r.Proved = r.At.Add(-time.Hour) }) // by single sign-on
		w.arrives("again", func(r *review.Remembered) { r.TenantSession, r.IP = "sid", "198.51.100.1" })
		w.log.entries = []review.Logged{
			{ID: "l-a", At: w.now, User: ada, Correlation: "a"},
			{ID: "l-first", At: w.now.Add(-time.Minute), User: ada, IP: "198.51.100.1"},
			{ID: "l-gone", At: w.now, User: ada, Correlation: "somebody-elses", IP: "192.0.2.66", Name: "Ada"},
			{ID: "l-refused", At: w.now, User: ada, Code: 53003, IP: "192.0.2.66"},
			{ID: "l-before", At: w.now.Add(-time.Hour), User: ada, IP: "192.0.2.67"}, // before an upgrade to the release that remembers
		}
		w.look(time.Minute)
		w.is("at first", nil, []string{"a by correlation", "again by circumstances"})
		w.look(30 * time.Minute)
		w.is("when nobody can still be on the way", []string{"l-gone"}, []string{"a by correlation", "again by circumstances"})

		w.arrives("forged", func(r *review.Remembered) { r.IP = "192.0.2.99" })
		w.arrives("second", func(r *review.Remembered) { r.TenantSession, r.IP = "sid", "192.0.2.98" })
		w.look(3 * time.Hour)
		w.is("while the log lags", []string{"l-gone"}, []string{"a by correlation", "again by circumstances"})
		w.look(90 * time.Minute)
		joined := []string{"a by correlation", "again by circumstances", "quiet by not listed", "second by session"}
		w.is("when it no longer does", []string{"forged", "l-gone"}, joined)
		w.look(time.Hour)
		if got := w.audit.actions(); !slices.Equal(got, []string{review.EventUnlogged, review.EventUnseen}) {
			t.Errorf("reported %q, each once", got)
		}
		for _, e := range w.audit.told {
			if e.Outcome != audit.Alarm || e.User == nil || e.User.Object != "ada" || e.IP == "" || len(e.Reasons) != 1 {
				t.Errorf("%s", e)
			}
		}
		// The entry comes a day late: then there is nothing left to look at.
		w.log.entries = append(w.log.entries, review.Logged{ID: "l-late", At: w.now, User: ada, Correlation: "forged"})
		w.look(time.Minute)
		w.is("when its entry came", []string{"l-gone"}, slices.Insert(joined, 2, "forged by correlation"))
	})
}

func TestALogThatCannotBeReadAccusesNobody(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.look(0)
		w.log.err = errRefused
		w.arrives("a", nil)
		w.look(24 * time.Hour)
		w.is("while it is refused", nil, nil)
		reads := w.log.reads
		w.look(time.Minute)
		if w.log.reads != reads {
			t.Error("asked again although it is refused")
		}
		if state, err := w.rows.ReviewState(t.Context()); err != nil || state.Problem != "ask an administrator" {
			t.Error(state, err)
		}
		w.log.err = errors.New("it is away")
		w.look(2 * time.Hour)
		if w.log.reads == reads {
			t.Error("never asked again")
		}
		w.log.err = nil
		w.log.entries = []review.Logged{{ID: "l-a", At: w.now.Add(-26 * time.Hour), User: ada, Correlation: "a"}}
		w.look(time.Minute)
		w.is("when it came back, for all the time that it was away", nil, []string{"a by correlation"})
		if state, err := w.rows.ReviewState(t.Context()); err != nil || state.Problem != "" || len(w.audit.told) != 0 {
			t.Error(state, err, w.audit.told)
		}
	})
}

func TestWhatIsNotWrittenDownIsReportedAgain(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.look(0)
		w.log.entries = []review.Logged{{ID: "l-gone", At: w.now, User: ada}}
		w.audit.broken = errors.New("the disk is full")
		w.now = w.now.Add(time.Hour)
		if err := w.Look(t.Context()); !errors.Is(err, w.audit.broken) {
			t.Fatal(err)
		}
		w.is("while it cannot be written", nil, nil)
		w.audit.broken = nil
		w.look(time.Minute)
		w.is("afterwards", []string{"l-gone"}, nil)
	})
}

func TestASignInThatNobodyBeganIsReported(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		lasts := w.now.Add(60 * 24 * time.Hour)
		w.arrives("a", nil)
		w.live = []session.SignIn{
			{ID: "i-hers", User: ada, Correlation: "a", Expires: lasts},
			{ID: "i-old", User: ada, Expires: w.now.Add(12 * time.Hour)}, // from before an upgrade, as far as anybody knows
			{ID: "i-planted", User: ada, Correlation: "made-up", Name: "Ada", IP: "192.0.2.66", Expires: lasts},
			{ID: "i-bare", User: ada, Expires: lasts},
		}
		w.look(time.Minute)
		w.look(time.Minute)
		w.is("planted", []string{"i-bare", "i-planted"}, nil)
		if got := w.audit.actions(); !slices.Equal(got, []string{review.EventUnbegun, review.EventUnbegun}) {
			t.Errorf("reported %q", got)
		}
	})
}

func TestUsesAreCountedOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		use := audit.Event{Time: w.now, Outcome: audit.Opened, Project: "payments", Detail: map[string]any{review.DetailRole: "developer", review.DetailVia: "g"}}
		for range 3 {
			if err := w.Count(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(w.audit.events) == 0 {
				denied := use
				denied.Outcome = audit.Denied
				w.audit.events = append(w.audit.events, use, denied, use)
			}
		}
		uses, err := w.rows.UsesSince(t.Context(), w.now)
		if err != nil || len(uses) != 1 || uses[0].Times != 2 || uses[0].ID != "g" {
			t.Error(uses, err)
		}
	})
}
