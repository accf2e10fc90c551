package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
)

const (
	storeAgeEvery = 30 * time.Second // age and cursors alone are stored no more often
	saveTimeout   = 10 * time.Second
	saveRowTime   = 200 * time.Microsecond // more for each row: a large organisation's first read is a million of them
	firstRetry    = 50 * time.Millisecond
	lastRetry     = 5 * time.Second
	keysAtMost    = 1000 // a feed entry with more keys says "all" instead
)

// Apply makes a change take effect. It returns nil when the change is stored and published; cursors and age that
// come alone may wait in memory for the next change, for at most half a minute. When ctx ends before, what takes
// access away is in force already, the rest follows when the store answers, and the error is ErrPending. The reason
// is for the audit log: what told us.
func (d *Directory) Apply(ctx context.Context, c Change, reason string) error {
	p, err := d.accept(c, reason)
	if p == nil || err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("change the directory: %w (%w)", ErrPending, ctx.Err())
	}
}

// accept publishes what the change takes away, and queues the change for the store; nil when nothing is to be
// stored now.
func (d *Directory) accept(c Change, reason string) (*pending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.loaded:
		return nil, fmt.Errorf("change the directory: %w", errNotLoaded)
	case d.closing.Err() != nil:
		return nil, fmt.Errorf("change the directory: %w", errClosed)
	}
	p := &pending{base: d.target, reason: reason, done: make(chan struct{})}
	p.next, p.touched, p.effect = d.target.apply(c)
	d.target = p.next
	maps.Copy(d.cursors, c.Cursors)
	defer func() { // whatever is stored and when, what is taken away is published now, and the age
		next := d.allowed()
		next.asOf = d.target.asOf
		d.show(next, false)
	}()
	switch waiting := len(d.waiting); {
	case !p.effect.empty(), waiting == 0 && time.Since(d.storedAt) >= storeAgeEvery:
		d.enqueue(p)
		return p, nil
	case waiting > 0 && !c.empty(): // said before, and not stored yet
		return d.waiting[waiting-1], nil
	default:
		return nil, nil
	}
}

func (d *Directory) enqueue(p *pending) {
	p.cursors = maps.Clone(d.cursors)
	d.waiting = append(d.waiting, p)
	if !d.writing {
		d.writing = true
		d.writers.Go(d.write)
	}
}

// write stores what waits, in order, until nothing waits or the Directory is closed.
func (d *Directory) write() {
	delay, failing := firstRetry, false
	for {
		p := d.next()
		if p == nil {
			return
		}
		err := d.save(p)
		if err == nil {
			if failing {
				d.log.Info("directory changes are stored again")
			}
			delay, failing = firstRetry, false
			continue
		}
		if errors.Is(err, feed.ErrFenced) {
			d.log.Warn("another replica writes the directory by now; what was to be stored here is dropped")
			if err = d.Yield(d.closing); err == nil {
				continue
			}
		}
		if !failing && d.closing.Err() == nil {
			failing = true
			d.log.Error("directory changes cannot be stored; what they take away is in force, what they give waits", "error", err)
		}
		select {
		case <-d.closing.Done():
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, lastRetry)
	}
}

// next is the first change that waits; nil ends the writer.
func (d *Directory) next() *pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing.Err() != nil {
		for _, p := range d.waiting {
			p.err = fmt.Errorf("change the directory: %w (%w)", ErrPending, errClosed)
			close(p.done)
		}
		d.waiting = nil
	}
	if len(d.waiting) == 0 {
		d.writing = false
		return nil
	}
	return d.waiting[0]
}

// save stores one change and then publishes it.
func (d *Directory) save(p *pending) error {
	select {
	case d.io <- struct{}{}:
		defer func() { <-d.io }()
	case <-d.closing.Done():
		return errClosed
	}
	ctx, cancel := context.WithTimeout(d.closing, saveTimeout+time.Duration(p.effect.size())*saveRowTime)
	defer cancel()
	// Only the holder of io changes d.stored, so it may be read here without the lock.
	next, touched, effect := p.next, p.touched, p.effect
	if !d.stored.holds(p.base) { // another process's changes were loaded meanwhile
		next, touched, effect = d.stored.apply(p.effect)
	}
	effect.Cursors = p.cursors
	var entry feed.Entry
	if !effect.empty() {
		entry = feed.Entry{Topic: feed.Directory, Keys: keysOf(effect, touched)}
	}
	seq, err := d.rows.SaveDirectory(ctx, effect, entry, events(d.stored, next, effect, p.reason)...)
	if err != nil {
		return fmt.Errorf("store a directory change: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stored = next
	d.seq = max(d.seq, seq)
	d.storedAt = time.Now()
	d.waiting[0], d.waiting = nil, d.waiting[1:] // what was read whole is not kept
	d.show(d.allowed(), effect.size() > askAtMost)
	close(p.done)
	return nil
}

// holds reports that two snapshots are the same version, whatever their age.
func (s *Snapshot) holds(o *Snapshot) bool {
	return s == o || s.users == o.users && s.groups == o.groups && s.members == o.members && s.parents == o.parents && s.blocked == o.blocked
}

// keysOf names the users and groups that followers have to read again; nothing means all.
func keysOf(c Change, touched Touched) []string {
	if touched.All || max(len(touched.Users), len(c.Users), len(c.Groups), len(c.GoneGroups), len(c.Blocks)) > keysAtMost { // of each, all differ
		return nil
	}
	keys := map[string]struct{}{}
	for _, u := range touched.Users {
		keys[u.Key()] = struct{}{}
	}
	for _, u := range c.Users {
		keys[u.ID.Key()] = struct{}{}
	}
	for _, g := range c.Groups {
		keys[g.ID.Key()] = struct{}{}
	}
	for _, g := range c.GoneGroups {
		keys[g.Key()] = struct{}{}
	}
	for _, b := range c.Blocks {
		keys[b.User.Key()] = struct{}{}
	}
	for _, m := range c.Members {
		keys[m.Group.Key()] = struct{}{}
	}
	if len(keys) > keysAtMost {
		return nil
	}
	return slices.Sorted(maps.Keys(keys))
}
