package image

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// How many images are fetched at a time, and how long one may take: a registry that is slow, or wants to be, holds up nobody but who
// chose it.
const (
	atOnce       = 4
	atOnceOfOne  = 2
	longestFetch = time.Hour
)

// Slots let so many fetch at a time. The zero value does.
type Slots struct {
	mu    sync.Mutex
	taken int
	by    map[string]int
	freed chan struct{} // closed when one is
}

// Take waits for a slot of somebody's, who is empty where the server itself wants an image. The context that it returns ends in time.
func (s *Slots) Take(ctx context.Context, who, ref string, say func(string)) (_ context.Context, leave func(), err error) {
	for said := false; ; said = true {
		freed, ok := s.try(who)
		if ok {
			break
		}
		if !said {
			say(fmt.Sprintf("waiting for other images, of which %d are fetched at a time", atOnce))
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longestFetch, problem.New(problem.SlowUpstream, "Fetching the image %s took longer than %s.", ref, longestFetch))
	return ctx, func() {
		cancel()
		s.leave(who)
	}, nil
}

func (s *Slots) try(who string) (freed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken < atOnce && (who == "" || s.by[who] < atOnceOfOne) {
		if s.by == nil {
			s.by = map[string]int{}
		}
		s.taken++
		s.by[who]++
		return nil, true
	}
	if s.freed == nil {
		s.freed = make(chan struct{})
	}
	return s.freed, false
}

func (s *Slots) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[who]--; s.by[who] == 0 {
		delete(s.by, who)
	}
	if s.freed != nil {
		close(s.freed)
		s.freed = nil
	}
}
