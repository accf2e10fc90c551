package feed

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// How a follower paces itself when something fails.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
	pageSize   = 256
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
	Poll   time.Duration // 250 ms when zero
	Log    *slog.Logger
}

// Follower calls Handle for every entry of the feed, in order.
type Follower struct {
	c        FollowerConfig
	wake     chan struct{}
	seq      atomic.Int64
	currency atomic.Int64 // Unix nanoseconds at which everything committed before was handled
}

// NewFollower makes a follower. Nothing happens before Run.
func NewFollower(c FollowerConfig) *Follower {
	if c.Poll <= 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{c: c, wake: make(chan struct{}, 1)}
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
	return time.Since(time.Unix(0, at))
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
	f.currency.Store(time.Now().UnixNano())
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
		asked := time.Now()
		entries, err := f.c.Source.FeedAfter(ctx, f.Seq(), pageSize)
		if err != nil {
			return err
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
			f.currency.Store(asked.UnixNano())
			return nil
		}
	}
}
