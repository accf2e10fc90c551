package main

import (
	"context"
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
		"forward": takes(l.forward), "posts": takes(l.posts), "mix": takes(l.mix), "clone": takes(clone),
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
	visitor
}

// visitor is how a person who is signed in at a peer asks it; the zero visitor asks as anybody.
type visitor struct {
	Host   string // the name of the peer's site, which the session belongs to
	Cookie string
}

func (v visitor) introduce(r *http.Request) {
	if v.Host != "" {
		r.Host = v.Host
	}
	if v.Cookie != "" {
		r.Header.Set("Cookie", v.Cookie)
	}
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
				n, err := get(ctx, transport, url, o.visitor)
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

func get(ctx context.Context, t http.RoundTripper, url string, v visitor) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	v.introduce(r)
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
