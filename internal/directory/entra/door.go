package entra

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Door is how notifications arrive and are subscribed to, for metrics and for who looks what is wrong.
type Door struct {
	URL           string // where Graph posts to; empty: it cannot reach us, and the sweep alone finds changes
	Subscriptions []Subscription
	Last          time.Time // when a notification last arrived that was ours; zero: none since the start
	Rang          int64     // notifications that were ours
	Strange       int64     // notifications of no subscription or with another secret: forged, or of one that we gave up
	Echoed        int64     // validation tokens that were answered
	Unasked       int64     // validation tokens that were refused, because no subscription was being made
	Held          int64     // reads that waited so as to spare Graph's quota
}

// Subscription is one that we hold, or should.
type Subscription struct {
	Of      string    // users, groups
	Ends    time.Time // zero: there is none
	Problem string    // why it could not be made or renewed; empty when it could
}

// door counts. It is safe for concurrent use.
type door struct {
	mu    sync.Mutex
	state Door
	subs  map[kind]Subscription
}

func newDoor(url string) *door {
	return &door{state: Door{URL: url}, subs: map[kind]Subscription{}}
}

func (d *door) note(change func(*Door)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.state)
}

func (d *door) held() { d.note(func(s *Door) { s.Held++ }) }

// rang counts a notification that is ours, wherever it arrived.
func (d *door) rang(at time.Time) {
	d.note(func(s *Door) { s.Rang, s.Last = s.Rang+1, at })
}

func (d *door) subscribed(k kind, ends time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.subs[k]
	if now = (Subscription{Of: k.String(), Ends: ends}); err != nil {
		now.Problem = err.Error()
	}
	d.subs[k] = now
}

// Door says how notifications are doing. It is safe for concurrent use and waits for nothing.
func (s *Source) Door() Door {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.state
	for _, k := range slices.Sorted(maps.Keys(d.subs)) {
		now.Subscriptions = append(now.Subscriptions, d.subs[k])
	}
	return now
}
