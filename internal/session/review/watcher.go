package review

import (
	"context"
	"log/slog"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Rows is the storage of what is remembered, read and counted. Methods may be called concurrently.
type Rows interface {
	// Unsettled returns successful entries of the tenant's log that nothing is joined with and that were not reported, and
	// what is remembered, but arrivals, without an entry and was not reported; both not before since, at most limit of each,
	// oldest first.
	Unsettled(ctx context.Context, since time.Time, limit int) ([]Logged, []Remembered, error)
	// Candidates returns what an entry may belong to: what is remembered under its correlation ID, with one of the IDs of
	// its token, or of its user within a time.
	Candidates(ctx context.Context, e Logged, within time.Duration) ([]Remembered, error)
	// SameSession returns what is remembered of a user with a session at the tenant and is in its log.
	SameSession(ctx context.Context, r Remembered) (logged string, found bool, err error)
	// SaveLogged stores entries; of those that are known, nothing changes.
	SaveLogged(context.Context, []Logged) error
	// Settle stores what was joined and reported of entries and of what is remembered.
	Settle(context.Context, []Logged, []Remembered) error
	// Remember stores what is not known yet, with NewPlace and NewDevice as what is remembered makes them. An Arrival becomes
	// what it led to; everything else stays.
	Remember(context.Context, Remembered) (Remembered, error)
	// IsRemembered returns those of the IDs that are known.
	IsRemembered(ctx context.Context, ids []string) (map[string]bool, error)
	ReviewState(context.Context) (State, error)
	// NoteLog stores how far the tenant's log was read, or why it could not be.
	NoteLog(ctx context.Context, from, read time.Time, problem string) error
	// CountUses adds uses, and stores up to where the audit log was counted, and since when where that is not known.
	CountUses(ctx context.Context, uses []Use, since time.Time, position int64) error
	// ForgetReviewed removes what is older.
	ForgetReviewed(ctx context.Context, before time.Time) error
}

// Log is the tenant's log of sign-ins.
type Log interface {
	// Read gives the entries of sign-ins to Lanyard from since on, in portions and in no order.
	Read(ctx context.Context, since time.Time, take func([]Logged) error) error
}

// Pace says how often it is looked, and how long something may be missing before it is reported.
type Pace struct {
	Look time.Duration // between two readings of the tenant's log
	// Unseen is how old an entry of the tenant's log is before it is reported that Lanyard saw no such sign-in. Unlogged
	// is how old a sign-in is before it is reported that the tenant's log has no such entry: it lags behind.
	Unseen, Unlogged time.Duration
}

// DefaultPace is the pace where nothing else is said: people take a while to arrive, and Microsoft lets its log lag behind
// by minutes, at times by hours.
func DefaultPace() Pace {
	return Pace{Look: 5 * time.Minute, Unseen: 30 * time.Minute, Unlogged: 4 * time.Hour}
}

const (
	firstRead = 7 * 24 * time.Hour // of the log, when it is read for the first time
	lookBack  = 2 * time.Hour      // of later readings: entries come late
	longBack  = 24 * time.Hour     // of one reading in each longEvery: some come very late
	longEvery = time.Hour
	refused   = time.Hour // until it is tried again when the tenant does not let Lanyard read its log
	settled   = 500       // entries and sign-ins that one look compares
	pruning   = time.Hour
)

// Config makes a Watcher.
type Config struct {
	Rows  Rows
	Log   Log                     // nil: there is none to be read
	Audit Recorder                // where findings go, and what is counted
	Live  func() []session.SignIn // the sign-ins of now
	Pace  Pace
	// Refused reports whether an error means that the tenant does not let Lanyard read its log, and says it in words.
	Refused func(error) (why string, ok bool)
	Logger  *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Recorder is the audit log.
type Recorder interface {
	Durable(context.Context, ...audit.Event) error
	After(ctx context.Context, after int64, f audit.Filter) (events []audit.Event, next int64, err error)
	Search(context.Context, audit.Filter) (audit.Page, error)
}

// Watcher reads the tenant's log, compares, reports and counts. One replica at a time runs it.
type Watcher struct {
	c     Config
	long  time.Time       // when it was last read far back
	quiet time.Time       // the tenant's log is not asked before
	said  map[string]bool // what fails and was logged
}

// New returns a watcher.
func New(c Config) *Watcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Pace == (Pace{}) {
		c.Pace = DefaultPace()
	}
	return &Watcher{c: c, said: map[string]bool{}}
}

// Run looks again and again until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(min(w.c.Pace.Look, countEvery))
	defer tick.Stop()
	looked, pruned := w.c.Now(), time.Time{}                   // a server that has just started has better things to do
	w.say(ctx, "uses of rights are not counted", w.Count(ctx)) // which says since when
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.c.Now()
		w.say(ctx, "uses of rights are not counted", w.Count(ctx))
		if now.Sub(looked) >= w.c.Pace.Look {
			looked = now
			w.say(ctx, "sign-ins are not compared with the tenant's log", w.Look(ctx))
		}
		if now.Sub(pruned) >= pruning {
			pruned = now
			w.say(ctx, "old sign-ins are not forgotten", w.c.Rows.ForgetReviewed(ctx, now.Add(-Retention)))
		}
	}
}

// say logs what fails, once until it works again.
func (w *Watcher) say(ctx context.Context, what string, err error) {
	if was := w.said[what]; err == nil || ctx.Err() != nil || was {
		w.said[what] = was && err != nil
		return
	}
	w.said[what] = true
	w.c.Logger.Warn(what+"; it is tried again", "error", err)
}

// Look reads what is new in the tenant's log, compares and reports, once.
func (w *Watcher) Look(ctx context.Context) error {
	if err := w.unbegun(ctx); err != nil {
		return err
	}
	if w.c.Log == nil {
		return nil
	}
	if err := w.read(ctx); err != nil {
		return err
	}
	return w.compare(ctx)
}

// read reads the tenant's log as far back as entries may still have come.
func (w *Watcher) read(ctx context.Context) error {
	now := w.c.Now()
	if now.Before(w.quiet) {
		return nil
	}
	state, err := w.c.Rows.ReviewState(ctx)
	if err != nil {
		return err
	}
	from, since := state.LogFrom, now.Add(-lookBack)
	long := now.Sub(w.long) >= longEvery
	switch {
	case from.IsZero():
		from, since = now.Add(-firstRead), now.Add(-firstRead)
	case state.LogRead.Before(now.Add(-lookBack / 2)): // after a pause there is more to read
		since = state.LogRead.Add(-longBack)
	case long:
		since = now.Add(-longBack)
	}
	err = w.c.Log.Read(ctx, since, func(entries []Logged) error { return w.c.Rows.SaveLogged(ctx, entries) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		if long {
			w.long = now
		}
		return w.c.Rows.NoteLog(ctx, from, now, "")
	}
	problem := err.Error()
	if w.c.Refused != nil {
		if why, ok := w.c.Refused(err); ok {
			problem = why
			w.quiet = now.Add(min(refused, 60*w.c.Pace.Look))
		}
	}
	if problem != state.Problem {
		w.c.Logger.Warn("the tenant's log of sign-ins cannot be read", "error", problem)
	}
	return w.c.Rows.NoteLog(ctx, state.LogFrom, state.LogRead, problem)
}
