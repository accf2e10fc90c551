package audit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Later gives an event that need not be durable before the answer. It never blocks; the event is inserted within a
// second. When more wait than memory is set aside for, further ones are dropped and counted, and an event
// "audit:dropped" with their number takes their place.
func (l *Log) Later(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if !l.later.add(e) {
		return
	}
	l.log.Warn("audit events are dropped: more wait than can be kept", "waiting", maxLater)
}

// later is a bounded queue.
type later struct {
	mu      sync.Mutex
	queue   []Event
	missing int64        // dropped and not yet said so in the log
	dropped atomic.Int64 // since the start
}

// add reports whether it had to drop the event as the first of several.
func (q *later) add(e Event) (firstDropped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) < maxLater {
		q.queue = append(q.queue, e)
		return false
	}
	q.missing++
	q.dropped.Add(1)
	return q.missing == 1
}

// take empties the queue, with an event for what was dropped.
func (q *later) take() (events []Event, missing int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, missing = q.queue, q.missing
	q.queue, q.missing = nil, 0
	return events, missing
}

// giveBack puts events that could not be inserted before those that came since.
func (q *later) giveBack(events []Event, missing int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(events, q.queue...)
	q.missing += missing
	if over := len(q.queue) - maxLater; over > 0 {
		q.queue = q.queue[:maxLater]
		q.missing += int64(over)
		q.dropped.Add(int64(over))
	}
}

// flush inserts what Later was given.
func (l *Log) flush(ctx context.Context) {
	given, missing := l.later.take()
	kept, records := make([]Event, 0, len(given)), make([]Record, 0, len(given)+1)
	for _, e := range given {
		r, err := Encode(e)
		if err != nil {
			l.log.Error("an audit event cannot be written", "action", e.Action, "err", err)
			missing++
			l.later.dropped.Add(1)
			continue
		}
		kept, records = append(kept, e), append(records, r)
	}
	if missing > 0 {
		r, err := Encode(Event{Action: "audit:dropped", Outcome: Failed, Actor: "service:audit", Detail: map[string]any{"events": missing}})
		if err != nil {
			l.report("write down that audit events were dropped", err)
			return
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return
	}
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := l.rows.InsertRecords(attempt, records); !l.report("insert audit events", err) {
		l.later.giveBack(kept, missing)
	}
}
