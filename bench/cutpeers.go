package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// cutWait is how long something stays open before it counts as never cut.
const cutWait = 120 * time.Second

// openThing is something open through a gateway: a WebSocket, a long answer, or the right to make another request.
type openThing struct {
	name, kind string
	open       func(context.Context, *openThing) error // reads until it ends
	heard      atomic.Int64                            // when something came last, in Unix nanoseconds
	ended      time.Time
	err        error
	done       chan struct{}
}

// benchCutPeers takes one person out of the group that lets them use an app, and waits until what they have open through
// each gateway has ended: a WebSocket and an answer that goes on. Beside it stands when a new request is refused.
func benchCutPeers(ctx context.Context, _ *bench) error {
	p, err := newPeers(ctx, []string{"cut.peers"})
	if err != nil {
		return err
	}
	defer p.close()
	through, err := ask[string](ctx, p.load, "forward", 0)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all []*openThing
	add := func(gateway, base string, v visitor) {
		all = append(all,
			&openThing{name: gateway, kind: "websocket", open: func(ctx context.Context, w *openThing) error { return w.socket(ctx, base+"/ws", v) }},
			&openThing{name: gateway, kind: "response", open: func(ctx context.Context, w *openThing) error { return w.response(ctx, base+"/beat", v) }},
			&openThing{name: gateway, kind: "request", open: func(ctx context.Context, w *openThing) error { return w.requests(ctx, base+"/small", v) }})
	}
	add("lanyard", "http://"+through+"/r/plain", visitor{})
	for _, d := range p.daemons {
		add(d.name, "http://"+d.address, p.visitors[d.name])
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, w := range all {
		w.done = make(chan struct{})
		running.Go(func() {
			defer close(w.done)
			w.err = w.open(ctx, w)
			w.ended = time.Now()
		})
	}
	for _, w := range all {
		for end := time.Now().Add(20 * time.Second); w.heard.Load() == 0; time.Sleep(10 * time.Millisecond) {
			select {
			case <-w.done:
				return fmt.Errorf("the %s through %s did not open: %w", w.kind, w.name, w.err)
			default:
			}
			if time.Now().After(end) {
				return fmt.Errorf("nothing came on the %s through %s", w.kind, w.name)
			}
		}
	}
	tell("  everything is open; the person leaves the group, and this waits until all has ended, or %s", cutWait)
	from, err := ask[time.Time](ctx, p.gateway, "remove", membership{team, personName(0)})
	if err != nil {
		return err
	}
	if _, err := ask[nothing](ctx, p.auth, "refuse", true); err != nil {
		return err
	}
	wait := time.NewTimer(time.Until(from.Add(cutWait)))
	defer wait.Stop()
	over := false
	for _, w := range all {
		select {
		case <-w.done:
		case <-wait.C:
			over = true
		case <-ctx.Done():
			return ctx.Err()
		}
		if over {
			break
		}
	}
	for _, w := range all {
		name := "cut.peers@" + w.name + "-" + w.kind
		select {
		case <-w.done:
			tell("  %s: %v", name, w.err)
			report(name, w.ended.Sub(from).Seconds(), "s")
		default:
			if quiet := time.Since(time.Unix(0, w.heard.Load())); quiet > 5*beat {
				return fmt.Errorf("the %s through %s has said nothing for %s, and is not closed", w.kind, w.name, quiet)
			}
			stillOpen(name, cutWait)
		}
	}
	return nil
}

func (w *openThing) socket(ctx context.Context, url string, v visitor) error {
	// Nothing is reused: a peer's connection ends with what was open on it.
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	header := http.Header{}
	if v.Cookie != "" {
		header.Set("Cookie", v.Cookie)
	}
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Host: v.Host})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return err
		}
		w.heard.Store(time.Now().UnixNano())
	}
}

func (w *openThing) response(ctx context.Context, url string, v visitor) error {
	resp, err := asked(ctx, &http.Transport{DisableKeepAlives: true}, url, v)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<10)
	for {
		if _, err := resp.Body.Read(buf); err != nil {
			return err
		}
		w.heard.Store(time.Now().UnixNano())
	}
}

// requests asks again and again until it is refused.
func (w *openThing) requests(ctx context.Context, url string, v visitor) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for {
		resp, err := asked(ctx, transport, url, v)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return errors.Join(err, resp.Body.Close())
		}
		resp.Body.Close()
		w.heard.Store(time.Now().UnixNano())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// asked is an answer with status 200; another is an error.
func asked(ctx context.Context, t http.RoundTripper, url string, v visitor) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	v.introduce(r)
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, errors.New("answered " + resp.Status)
	}
	return resp, nil
}
