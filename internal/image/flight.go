package image

import (
	"context"
	"sync"
)

// flight is one piece of work that several wait for. It goes on while at least one does.
type flight struct {
	done   chan struct{}
	err    error
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting map[*func(string)]struct{}
	last    string
}

// once does the work named key once at a time for all who ask, and tells each of them its progress.
func (s *Store) once(ctx context.Context, key string, progress func(string), work func(ctx context.Context, say func(string)) error) error {
	s.mu.Lock()
	f := s.pulling[key]
	if f == nil {
		// Not the context of who asked first: when that one goes, the others wait on.
		run, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{done: make(chan struct{}), cancel: cancel, waiting: map[*func(string)]struct{}{}}
		s.pulling[key] = f
		go func() {
			defer cancel()
			err := work(run, f.say)
			s.mu.Lock()
			if s.pulling[key] == f {
				delete(s.pulling, key)
			}
			s.mu.Unlock()
			f.err = err
			close(f.done)
		}()
	}
	f.join(&progress)
	s.mu.Unlock()

	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	last := f.leave(&progress)
	if last && s.pulling[key] == f {
		delete(s.pulling, key) // who comes now begins anew
	}
	s.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
	return context.Cause(ctx)
}

func (f *flight) join(progress *func(string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[progress] = struct{}{}
	if f.last != "" {
		(*progress)(f.last)
	}
}

// leave reports whether nobody waits any more.
func (f *flight) leave(progress *func(string)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, progress)
	return len(f.waiting) == 0
}

func (f *flight) say(step string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if step == f.last {
		return
	}
	f.last = step
	for p := range f.waiting {
		(*p)(step)
	}
}
