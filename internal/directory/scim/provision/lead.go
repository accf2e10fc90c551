package provision

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
)

const (
	reason       = "the tenant's provisioning service"
	compareEvery = time.Minute // of who is disabled
	wholeEvery   = time.Hour   // of everything
	ageEvery     = 30 * time.Second
	settleWithin = 10 * time.Second // how long an answer waits for its effect
	firstRetry   = 100 * time.Millisecond
	lastRetry    = 5 * time.Second
	forgetAtMost = 500
	applyWithin  = time.Minute
)

// Run makes of the directory what the provisioning service said, until ctx ends. One process does so, the one that writes
// the directory: first everything, because an earlier one may have been killed between storing what was said and
// applying it; then what is touched; and once in a while everything again.
func (s *Service) Run(ctx context.Context) {
	compare, age := time.NewTicker(compareEvery), time.NewTicker(ageEvery)
	defer compare.Stop()
	defer age.Stop()
	whole, delay := true, firstRetry
	wholeAt := time.Now()
	for {
		t, waiters := s.effect.take()
		t.all = t.all || whole
		err := s.apply(ctx, t)
		for _, w := range waiters {
			close(w)
		}
		if err != nil && ctx.Err() == nil {
			// What was touched is not known any more, so everything is compared.
			s.figures.failed.Add(1)
			s.log.Warn("what is provisioned could not be applied to the directory; it is tried again", "error", err)
			whole = true
			if !sleep(ctx, delay/2+rand.N(delay)) {
				return
			}
			delay = min(2*delay, lastRetry)
			continue
		}
		if t.all {
			wholeAt = time.Now()
			s.once.Do(func() { close(s.ready) })
		}
		whole, delay = false, firstRetry
		select {
		case <-ctx.Done():
			return
		case <-s.effect.wake:
		case <-compare.C:
			if whole = time.Since(wholeAt) >= wholeEvery || !s.c.Members; !whole {
				whole = s.applyBlocks(ctx) != nil
			}
			s.forgetGone(ctx)
		case <-age.C:
			s.keepFresh(ctx)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// apply makes of the directory what is said about those who are touched.
func (s *Service) apply(ctx context.Context, t touched) error {
	if t.nobody() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, applyWithin)
	defer cancel()
	c, err := s.changeOf(ctx, t)
	if err != nil {
		return err
	}
	if s.c.Users && t.all {
		c.AsOf = s.c.Now()
	}
	return s.c.Directory.Apply(ctx, c, reason)
}

// applyBlocks compares who is disabled.
func (s *Service) applyBlocks(ctx context.Context) error {
	c, err := s.whole(ctx, false)
	if err != nil {
		return err
	}
	return s.c.Directory.Apply(ctx, c, reason)
}

// keepFresh says that the directory is as it is now: who pushes changes has no age of its own. It is for a directory that
// nobody else reads.
func (s *Service) keepFresh(ctx context.Context) {
	if !s.c.Users {
		return
	}
	if err := s.c.Directory.Apply(ctx, directory.Change{AsOf: s.c.Now()}, reason); err != nil && ctx.Err() == nil {
		s.log.Warn("the directory's age could not be noted", "error", err)
	}
}

// settle returns when what keys name is in force, where this process writes the directory; it waits for a bounded time,
// since what was said is stored and will be in force.
func (s *Service) settle(ctx context.Context, keys []string) {
	if len(keys) == 0 || !s.c.Leads() {
		return
	}
	t, done := newTouched(), make(chan struct{})
	t.add(keys)
	s.effect.add(t, done)
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// forgetGone forgets those who were deleted here and whom the directory, which another source keeps, has no more: nobody
// is left to be disabled.
func (s *Service) forgetGone(ctx context.Context) {
	f, err := s.c.Rows.AllSCIMFacts(ctx, false)
	if err != nil || len(f.Gone) == 0 {
		return
	}
	now := s.c.Directory.Snapshot()
	if users, _ := now.Counts(); users == 0 || now.AsOf().IsZero() {
		return
	}
	var objects, keys []string
	for _, gone := range f.Gone {
		if _, there := now.User(s.user(gone)); !there && len(objects) < forgetAtMost {
			objects, keys = append(objects, gone), append(keys, userKey+gone)
		}
	}
	if len(objects) == 0 {
		return
	}
	if err := s.c.Rows.ForgetSCIM(ctx, objects, feed.Entry{Topic: feed.Provisioning, Keys: keys}); err != nil {
		s.log.Warn("who was deleted could not be forgotten; it is tried again", "error", err)
		return
	}
	t := newTouched()
	t.add(keys)
	s.effect.add(t, nil)
}
