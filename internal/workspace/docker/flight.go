package docker

import (
	"context"
	"errors"
)

// flight is work that several wait for.
type flight struct {
	done chan struct{}
	err  error
}

// once does the work of a key once for all who ask for it at the same time. Whoever began it does it; when that one gives up, the
// next one begins anew, unless the disk was full.
func (r *Runtime) once(ctx context.Context, key string, work func(context.Context) error) error {
	for {
		r.mu.Lock()
		f := r.pulls[key]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			r.pulls[key] = f
			r.mu.Unlock()
			f.err = work(ctx)
			r.mu.Lock()
			delete(r.pulls, key)
			r.mu.Unlock()
			close(f.done)
			return f.err
		}
		r.mu.Unlock()
		select {
		case <-f.done:
			if f.err == nil || errors.Is(f.err, errFills) {
				return f.err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
