package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// loadRole is what uses the gateway: the workspaces' ends of the tunnels, and a client without one for the peers.
type loadRole struct {
	tunnels  []*tunnel.Conn
	streams  [][]*openStream // by tunnel
	direct   *http.Transport
	forwards []net.Listener
}

func (l *loadRole) methods() map[string]method {
	return map[string]method{
		"dial": takes(l.dial), "requests": takes(l.requests), "open": takes(l.open), "ended": takes(l.ended), "leave": takes(l.leave),
		"forward": takes(l.forward), "clone": takes(clone),
	}
}

// dial is a workspace's agent at its start: it connects to the socket as soon as there is one, and is set up.
func (l *loadRole) dial(ctx context.Context, folder string) (int, error) {
	agent := http.NewServeMux()
	agent.HandleFunc("POST /v1/setup", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{\"done\":true}\n") })
	agent.HandleFunc("POST /v1/stop", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var c *tunnel.Conn
		if c, err = tunnel.Dial(ctx, tunnel.Peer{Socket: filepath.Join(folder, tunnel.SocketName), Build: "bench", Start: "bench", Handler: agent}); err == nil {
			l.tunnels, l.streams = append(l.tunnels, c), append(l.streams, nil)
			return len(l.tunnels) - 1, nil
		}
	}
	return 0, err
}

// target is where requests go: through a tunnel, or to an address without one.
type target struct {
	Tunnel  int
	Address string // when not empty
	Path    string
}

func (l *loadRole) client(t target) (http.RoundTripper, string) {
	if t.Address == "" {
		return l.tunnels[t.Tunnel].Transport(), "http://lanyard" + t.Path
	}
	if l.direct == nil {
		l.direct = &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 256, DisableCompression: true, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10}
	}
	return l.direct, "http://" + t.Address + t.Path
}

type requestOrder struct {
	target
	Connections int
	For         time.Duration
}

type requestCount struct{ Requests, Bytes int64 }

// requests asks for the same answer again and again over so many connections.
func (l *loadRole) requests(ctx context.Context, o requestOrder) (requestCount, error) {
	transport, url := l.client(o.target)
	var done, bytes atomic.Int64
	var failed atomic.Pointer[error]
	end := time.Now().Add(o.For)
	var all sync.WaitGroup
	for range o.Connections {
		all.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				n, err := get(ctx, transport, url)
				if err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
				bytes.Add(n)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return requestCount{}, *err
	}
	return requestCount{done.Load(), bytes.Load()}, nil
}

func get(ctx context.Context, t http.RoundTripper, url string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status says enough if this fails
		return 0, fmt.Errorf("answered %s: %s", resp.Status, text)
	}
	return io.Copy(io.Discard, resp.Body)
}

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

func (l *loadRole) close() {
	for t := range l.tunnels {
		_, _ = l.leave(context.Background(), []int{t}) // never fails
	}
	for _, f := range l.forwards {
		f.Close()
	}
	for _, t := range l.tunnels {
		t.Close()
	}
}
