package audit

import (
	"context"
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
	events := make([]Event, 0, len(leaves))
	for _, leaf := range leaves {
		e, err := leaf.Event()
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// Tail calls show for every event after position after, in order, and for those that come, until ctx ends or show
// fails.
func (l *Log) Tail(ctx context.Context, after int64, show func(Event) error) error {
	ticker := time.NewTicker(leadEvery)
	defer ticker.Stop()
	for {
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
		case <-ticker.C:
		}
	}
}
