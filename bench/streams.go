package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// openStream is one answer that does not end by itself.
type openStream struct {
	cancel context.CancelFunc
	ended  chan struct{}
	at     time.Time // valid once ended is closed
	err    error
}

type streamOrder struct {
	Tunnels []int
	Each    int // streams on each tunnel
	Path    string
}

// open opens streams and returns when something has come on each.
func (l *loadRole) open(_ context.Context, o streamOrder) (nothing, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, t := range o.Tunnels {
		streams := make([]*openStream, o.Each)
		l.streams[t] = streams
		transport, url := l.client(target{Tunnel: t, Path: o.Path})
		next := make(chan int)
		for range 8 { // so many are being opened at a time
			all.Go(func() {
				for i := range next {
					s, err := newStream(transport, url)
					mu.Lock()
					streams[i] = s
					if err != nil {
						errs = append(errs, err)
					}
					mu.Unlock()
				}
			})
		}
		for i := range o.Each {
			next <- i
		}
		close(next)
	}
	all.Wait()
	if len(errs) > 0 {
		return nothing{}, fmt.Errorf("%d streams did not open: %w", len(errs), errs[0])
	}
	return nothing{}, nil
}

func newStream(t http.RoundTripper, url string) (*openStream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &openStream{cancel: cancel, ended: make(chan struct{})}
	first := make(chan error, 1)
	go func() {
		defer close(s.ended)
		s.err = s.read(ctx, t, url, first)
		s.at = time.Now()
		select {
		case first <- s.err:
		default:
		}
	}()
	if err := <-first; err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

func (s *openStream) read(ctx context.Context, t http.RoundTripper, url string, first chan<- error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("answered " + resp.Status)
	}
	buf := make([]byte, 1<<10)
	for {
		if _, err := resp.Body.Read(buf); err != nil {
			return err
		}
		select {
		case first <- nil:
		default:
		}
	}
}

// ended waits until all streams of these tunnels have ended, and says when each did.
func (l *loadRole) ended(ctx context.Context, tunnels []int) ([]time.Time, error) {
	wait := time.NewTimer(60 * time.Second)
	defer wait.Stop()
	var at []time.Time
	for _, t := range tunnels {
		for _, s := range l.streams[t] {
			select {
			case <-s.ended:
			case <-wait.C:
				return nil, errors.New("a stream was not cut")
			}
			if errors.Is(s.err, io.EOF) {
				return nil, errors.New("a stream that was cut ended as if it were whole")
			}
			at = append(at, s.at)
		}
		l.streams[t] = nil
	}
	return at, nil
}

// leave gives up the streams of these tunnels.
func (l *loadRole) leave(_ context.Context, tunnels []int) (nothing, error) {
	for _, t := range tunnels {
		for _, s := range l.streams[t] {
			if s != nil {
				s.cancel()
				<-s.ended
			}
		}
		l.streams[t] = nil
	}
	return nothing{}, nil
}
