package audit

import (
	"bufio"
	"context"
	"io"
	"slices"
	"time"
)

// pageSize is how many events are read at once.
const pageSize = 500

// Events returns up to limit events after position after, in order; -1 begins at the first.
func (l *Log) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	leaves, err := l.rows.Leaves(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	return decodeAll(leaves)
}

// Search returns the events that fit.
func (l *Log) Search(ctx context.Context, f Filter) ([]Event, error) { return Search(ctx, l.rows, f) }

// Search returns the events that fit, from a database whose server need not run.
func Search(ctx context.Context, rows Reader, f Filter) ([]Event, error) {
	if f.Limit <= 0 {
		f.Limit = pageSize
	}
	leaves, err := rows.SearchLeaves(ctx, f)
	if err != nil {
		return nil, err
	}
	return decodeAll(leaves)
}

// Recent returns the newest events, oldest first. Those that are not in the log yet come last and have the position -1.
func (l *Log) Recent(ctx context.Context, limit int) ([]Event, error) {
	// Pending first: an event that moves into the log between the two reads is then seen twice, not missed.
	pending, err := l.rows.PendingEvents(ctx, maxBatch)
	if err != nil {
		return nil, err
	}
	events, err := l.Search(ctx, Filter{After: -1, Limit: limit, Newest: true})
	if err != nil {
		return nil, err
	}
	slices.Reverse(events)
	inLog := make(map[string]bool, len(events))
	for _, e := range events {
		e.Seq = -1
		inLog[e.String()] = true
	}
	for _, p := range pending {
		e, err := Decode(p.Body)
		if err != nil {
			return nil, err
		}
		if e.Seq = -1; !inLog[e.String()] {
			events = append(events, e)
		}
	}
	return events[max(0, len(events)-limit):], nil
}

// Tail calls show for every event after position after, in order, and for those that come, until ctx ends or show
// fails. An event is shown when it is in the log, a fraction of a second after it was given.
func (l *Log) Tail(ctx context.Context, after int64, show func(Event) error) error {
	ticker := time.NewTicker(leadEvery)
	defer ticker.Stop()
	for {
		l.mu.Lock()
		grown := l.grown
		l.mu.Unlock()
		for {
			events, err := l.Events(ctx, after, pageSize)
			if err != nil {
				return err
			}
			for _, e := range events {
				if err := show(e); err != nil {
					return err
				}
				after = e.Seq
			}
			if len(events) < pageSize {
				break
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		case <-ticker.C: // for what another process appended
		}
	}
}

// Export writes the exact bytes of every event, one a line.
func Export(ctx context.Context, rows Reader, to io.Writer) error {
	w := bufio.NewWriter(to)
	for after := int64(-1); ; {
		leaves, err := rows.Leaves(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if _, err := w.Write(append(leaf.Body, '\n')); err != nil {
				return err
			}
			after = leaf.Seq
		}
		if len(leaves) == 0 {
			return w.Flush()
		}
	}
}

func decodeAll(leaves []Leaf) ([]Event, error) {
	events := make([]Event, 0, len(leaves))
	for _, leaf := range leaves {
		e, err := Decode(leaf.Body)
		if err != nil {
			return nil, err
		}
		e.Seq = leaf.Seq
		events = append(events, e)
	}
	return events, nil
}
