package audit

import (
	"context"
	"sync"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Durable returns nil when the events are on disk: they will be in the log, in this order, whatever happens to this
// process. Callers at the same time share one transaction. An error has the kind Unavailable and means that the
// caller must not do what it wanted recorded; the events may be in the log all the same when the database failed
// after taking them, or when ctx ended first.
func (l *Log) Durable(ctx context.Context, events ...Event) error {
	records, err := EncodeAll(events) // here, where callers do it beside each other, and one that fails does alone
	if err != nil || len(records) == 0 {
		return err
	}
	return l.group.add(ctx, records)
}

// group is group commit: while one transaction is under way, the next one's events gather.
type group struct {
	insert  func(context.Context, []Record) error
	mu      sync.Mutex
	waiting []*request
	busy    bool
}

type request struct {
	events []Record
	done   chan error // buffered, so that nobody waits for a caller that left
}

func (g *group) add(ctx context.Context, events []Record) error {
	r := &request{events: events, done: make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, r)
	if !g.busy {
		g.busy = true
		// The transaction is not the first caller's alone, so it does not end with that caller's context.
		go g.drain(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return problem.Wrap(ctx.Err(), problem.Unavailable, "The audit log did not take the entry in time.")
	}
}

// drain inserts until nobody waits.
func (g *group) drain(ctx context.Context) {
	for {
		g.mu.Lock()
		together := g.waiting
		g.waiting = nil
		if len(together) == 0 {
			g.busy = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		var events []Record
		for _, r := range together {
			events = append(events, r.events...)
		}
		attempt, cancel := context.WithTimeout(ctx, writeTimeout)
		err := g.insert(attempt, events)
		cancel()
		if err != nil {
			err = problem.Wrap(err, problem.Unavailable, "The audit log cannot be written now, and nothing is done that it must show. Try again in a moment.")
		}
		for _, r := range together {
			r.done <- err
		}
	}
}
