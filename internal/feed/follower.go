package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// How a follower paces itself when something fails.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
	pageSize   = 256
	readWithin = 5 * time.Second // a database that does not answer at all counts as failed
)

// Source is where entries come from. FeedAfter returns committed entries after a number, in order, at most limit.
type Source interface {
	FeedAfter(ctx context.Context, after Seq, limit int) ([]Entry, error)
	FeedHead(ctx context.Context) (Seq, error)
}

// FollowerConfig is what a follower is made of.
type FollowerConfig struct {
	Source Source
	// Origin is this process. Its own entries are passed over: it applied them when it wrote them.
	Origin string
	// Handle applies one entry. It must be harmless to apply one twice. An error means "not yet": the same entry comes
	// again, and no later one before it.
	Handle func(context.Context, Entry) error
	// Reload reads everything again and returns the number at which that held. It is called when entries that were not
	// handled are not there any more, and when the feed has become shorter, as after another database was put in the
	// place of the one that was followed.
	Reload func(context.Context) (Seq, error)
	Poll   time.Duration // 250 ms when zero
	Log    *slog.Logger
}

// Follower calls Handle for every entry of the feed, in order.
type Follower struct {
	c        FollowerConfig
	wake     chan struct{}
	seq      atomic.Int64
	start    time.Time    // what currency counts from, by a clock that nobody steps and that runs while the process is stopped
	currency atomic.Int64 // nanoseconds after start at which everything committed before was handled; 0: never
}

// NewFollower makes a follower. Nothing happens before Run.
func NewFollower(c FollowerConfig) *Follower {
	if c.Poll <= 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{c: c, wake: make(chan struct{}, 1), start: time.Now().Add(-1)}
}

// Wake makes the follower look at once.
func (f *Follower) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Seq is the number up to which everything is handled.
func (f *Follower) Seq() Seq { return Seq(f.seq.Load()) }

// Behind is how old the follower's knowledge may be: what was committed longer ago than that is handled. Before the
// first look at the feed it counts from the start of Run, and before that it is as long as can be.
func (f *Follower) Behind() time.Duration {
	at := f.currency.Load()
	if at == 0 {
		return 1<<63 - 1
	}
	return time.Since(f.start) - time.Duration(at)
}

// Reach returns when everything that was committed before the call is handled, or with ctx's error.
func (f *Follower) Reach(ctx context.Context) error {
	asked := int64(time.Since(f.start))
	f.Wake()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for f.currency.Load() < asked {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Lag is how many committed entries are not handled.
func (f *Follower) Lag(ctx context.Context) (Seq, error) {
	head, err := f.c.Source.FeedHead(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, head-f.Seq()), nil
}

// Run follows the feed after number from, which came with the snapshot that the follower's owner loaded, until ctx
// ends. It returns nil.
func (f *Follower) Run(ctx context.Context, from Seq) error {
	f.seq.Store(int64(from))
	f.currency.Store(int64(time.Since(f.start)))
	retry := firstRetry
	for ctx.Err() == nil {
		wait := f.c.Poll
		if err := f.catchUp(ctx); err != nil && ctx.Err() == nil {
			f.c.Log.Warn("follow the feed of changes", "after", f.Seq(), "retry in", retry, "err", err)
			wait, retry = retry, min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-f.wake:
		}
		timer.Stop()
	}
	return nil
}

// catchUp handles what is there.
func (f *Follower) catchUp(ctx context.Context) error {
	for {
		asked := time.Since(f.start)
		entries, err := f.page(ctx)
		if err != nil {
			return err
		}
		if len(entries) > 0 && entries[0].Seq != f.Seq()+1 { // numbers have no gaps: what is missing was removed
			f.c.Log.Warn("the feed no longer has what this replica missed; everything is read again", "after", f.Seq(), "first", entries[0].Seq)
			if err := f.reload(ctx); err != nil {
				return err
			}
			continue
		}
		for _, e := range entries {
			if e.Origin != f.c.Origin {
				if err := f.c.Handle(ctx, e); err != nil {
					return err
				}
			}
			f.seq.Store(int64(e.Seq))
		}
		if len(entries) < pageSize {
			f.currency.Store(int64(asked))
			return nil
		}
	}
}

// page reads what comes next. A feed that ends before what was handled already is another one.
func (f *Follower) page(ctx context.Context) ([]Entry, error) {
	limited, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	entries, err := f.c.Source.FeedAfter(limited, f.Seq(), pageSize)
	if err != nil || len(entries) > 0 {
		return entries, err
	}
	head, err := f.c.Source.FeedHead(limited)
	if err != nil || head >= f.Seq() {
		return nil, err
	}
	f.c.Log.Error("the feed ends before what this replica has read; was an older database put back? Everything is read again",
		"after", f.Seq(), "head", head)
	return nil, f.reload(ctx)
}

func (f *Follower) reload(ctx context.Context) error {
	if f.c.Reload == nil {
		return errors.New("entries are missing from the feed, and nothing can be read again")
	}
	seq, err := f.c.Reload(ctx)
	if err != nil {
		return fmt.Errorf("read everything again: %w", err)
	}
	f.seq.Store(int64(seq))
	return nil
}
