package feed

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// How a lead paces itself.
const (
	beatEvery     = time.Second
	takeOverAfter = 4 * time.Second // without a beat
	beatTimeout   = 10 * time.Second
)

// LeadConfig is what a lead is made of.
type LeadConfig struct {
	Terms  Terms
	Work   string
	Holder string // this process
	// Alone says that no other process is at work when this one begins: its first term is taken at once, from one that
	// ended without giving up.
	Alone bool
	// Gone reports whether a holder has certainly ended, such as an earlier process of the same data folder; nil: unknown.
	Gone func(holder string) bool
	// Gained is called before the new term is in use: what this process still has in mind from an earlier term is to be
	// forgotten. With an error the term is given up. nil: nothing.
	Gained func(context.Context) error
	Beat   time.Duration // how often it shows that it lives, and looks whether it is its turn; 1 s when zero
	Log    *slog.Logger
}

// Lead is one process's part in a work that only one process does.
type Lead struct {
	c       LeadConfig
	held    atomic.Pointer[Term]
	watched Term      // as it was when last looked at
	since   time.Time // when it was seen to stand still for the first time
	had     bool      // it led before
}

// NewLead makes a lead. Nothing happens before Run or Try.
func NewLead(c LeadConfig) *Lead {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Beat <= 0 {
		c.Beat = beatEvery
	}
	return &Lead{c: c}
}

// Held is the term that this process believes to hold. Whether it still does is for the transaction to check.
func (l *Lead) Held() (Term, bool) {
	if t := l.held.Load(); t != nil {
		return *t, true
	}
	return Term{}, false
}

// Try takes the term if it is free, or if its holder has not moved for so long that it counts as gone. It is for Run,
// and for a start that wants to know at once; the two may not overlap.
func (l *Lead) Try(ctx context.Context) (bool, error) {
	if _, ok := l.Held(); ok {
		return true, nil
	}
	now, err := l.c.Terms.Term(ctx, l.c.Work)
	if err != nil {
		l.watched = Term{} // while nobody can write, nobody stands still
		return false, err
	}
	now.Work = l.c.Work
	if now != l.watched {
		l.watched, l.since = now, time.Now()
	}
	gone := now.Holder == "" || l.c.Alone && !l.had || l.c.Gone != nil && l.c.Gone(now.Holder)
	if !gone && time.Since(l.since) < takeOverAfter {
		return false, nil
	}
	taken, ok, err := l.c.Terms.TakeTerm(ctx, now, l.c.Holder)
	if err != nil || !ok {
		return false, err
	}
	if l.c.Gained != nil {
		if err := l.c.Gained(ctx); err != nil {
			_, _, _ = l.c.Terms.TakeTerm(ctx, taken, "") // otherwise others wait for takeOverAfter
			return false, err
		}
	}
	l.had = true
	l.held.Store(&taken)
	l.c.Log.Info("this replica does alone", "work", l.c.Work, "term", taken.Number)
	return true, nil
}

// Run calls do whenever this process leads, with a context that ends when it no longer does, until ctx ends; then it
// gives the term up so that another process need not wait.
func (l *Lead) Run(ctx context.Context, do func(context.Context)) {
	tick := time.NewTicker(l.c.Beat)
	defer tick.Stop()
	for ctx.Err() == nil {
		ok, err := l.Try(ctx)
		if err != nil && ctx.Err() == nil {
			l.c.Log.Debug("look who leads", "work", l.c.Work, "err", err)
		}
		if ok {
			l.lead(ctx, do)
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	l.Resign(ctx)
}

// lead does the work until the term is over or ctx ends.
func (l *Lead) lead(ctx context.Context, do func(context.Context)) {
	term, _ := l.Held()
	leading, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(leading)
	}()
	over := l.beat(leading, term)
	cancel()
	<-done
	if over {
		l.held.Store(nil)
		l.c.Log.Warn("another replica has taken over", "work", l.c.Work, "term", term.Number)
	}
}

// beat shows that this process lives; it reports that the term is over, or returns when ctx ends.
func (l *Lead) beat(ctx context.Context, term Term) (over bool) {
	tick := time.NewTicker(l.c.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, beatTimeout)
		ok, err := l.c.Terms.BeatTerm(limited, term)
		cancel()
		if err == nil && !ok {
			return true
		}
	}
}

// Resign gives the term up, if this process holds it, so that another one need not wait. Run does so by itself.
func (l *Lead) Resign(ctx context.Context) {
	term := l.held.Swap(nil)
	if term == nil {
		return
	}
	brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	now, err := l.c.Terms.Term(brief, l.c.Work)
	if err == nil && now.Number == term.Number {
		_, _, err = l.c.Terms.TakeTerm(brief, now, "")
	}
	if err != nil {
		l.c.Log.Debug("give a work up", "work", l.c.Work, "err", err)
	}
}
