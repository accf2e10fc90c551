package entra

import (
	"context"
	"sync"
	"time"
)

// Pace bounds the reads that notifications cause, since each costs quota that the tenant shares with other programs:
// Burst at once, and then one Every so often. What rings meanwhile is found by the next read. Sweeps are not counted.
type Pace struct {
	Burst int
	Every time.Duration
}

// defaultPace is for Microsoft Graph.
func defaultPace() Pace { return Pace{Burst: 10, Every: 2 * time.Second} }

// bucket keeps a pace. It is safe for concurrent use.
type bucket struct {
	pace Pace

	mu   sync.Mutex
	full time.Time // when it will be full again
}

// take takes one, and returns how long to wait before it may be used.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	wait := b.full.Sub(now) - time.Duration(b.pace.Burst-1)*b.pace.Every
	b.full = b.full.Add(b.pace.Every)
	return max(wait, 0)
}

// admit waits until an errand may be run, and adds what rang until then: all of it is found by the same read. ctx may
// end first.
func (s *Source) admit(ctx context.Context, e errand) errand {
	if e.sweep {
		return e
	}
	wait := s.bucket.take(time.Now())
	if wait <= 0 {
		return e
	}
	s.door.held()
	pause(ctx, wait)
	what, since := s.bell.answer()
	if e.what |= what; e.rung.IsZero() {
		e.rung = since
	}
	return e
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, wait time.Duration) {
	if wait <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}
