package signedin

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	together    = 4 // people who are read again at one time
	askingTakes = 20 * time.Second
)

// Run reads everybody who is signed in again, now and at every sweep, until ctx ends.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.c.Sweep)
	defer tick.Stop()
	for {
		if err := s.Reread(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Warn("the people who are signed in could not all be read again", "error", err)
		}
		s.first.Do(func() { close(s.ready) })
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Reread reads everybody who is signed in again. The directory is as young as the beginning of a sweep that reached the
// tenant: one person who cannot be read loses their groups after a while, and a tenant that answers nobody makes the
// directory old for all.
func (s *Source) Reread(ctx context.Context) error {
	began := s.c.Now()
	all := s.c.SignIns()
	var mu sync.Mutex
	var asking sync.WaitGroup
	room := make(chan struct{}, together)
	answered := len(all) == 0
	var failed error
	for u, id := range all {
		room <- struct{}{}
		asking.Go(func() {
			defer func() { <-room }()
			err := s.reread(ctx, u, id)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answered = true
			} else {
				failed = err
			}
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if answered {
		return errors.Join(failed, s.c.Directory.Apply(ctx, directory.Change{AsOf: began}, "a sweep"))
	}
	return failed
}

// reread reads one person again. That their sign-in has ended is an answer.
func (s *Source) reread(ctx context.Context, u identity.UserID, id identity.SignInID) error {
	ctx, cancel := context.WithTimeout(ctx, askingTakes)
	defer cancel()
	seen, err := s.c.Again(ctx, id)
	if err == nil {
		err = s.take(ctx, seen, "a sign-in, read again")
	}
	if err == nil || errors.Is(err, ErrEnded) {
		return nil
	}
	s.applying.Lock()
	since, known := s.failing[u]
	if !known {
		since = s.c.Now()
		s.failing[u] = since
	}
	s.applying.Unlock()
	if s.c.Now().Sub(since) >= s.c.Trust {
		err = errors.Join(err, s.leave(ctx, u))
	}
	return err
}
