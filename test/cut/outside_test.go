package cut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// watched is a stream that a goroutine reads until its end.
type watched struct {
	mu    sync.Mutex
	bytes int
	end   ending
	done  chan struct{}
	leave func()
}

func watch(leave func()) *watched { return &watched{done: make(chan struct{}), leave: leave} }

func (x *watched) add(n int) {
	x.mu.Lock()
	x.bytes += n
	x.mu.Unlock()
}

func (x *watched) read() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bytes
}

func (x *watched) flows(p *place, what string) {
	p.t.Helper()
	p.Eventually(what+" flows", func() bool {
		select {
		case <-x.done:
			p.t.Fatalf("%s ended at once: %+v", what, x.end)
		default:
		}
		return x.read() > 0
	})
}

// Ended implements stream.
func (x *watched) Ended(ctx context.Context, _ *place) (ending, error) {
	select {
	case <-x.done:
		return x.end, nil
	case <-ctx.Done():
		return ending{}, errors.New("it has not ended")
	}
}

// Goes implements stream.
func (x *watched) Goes(*place) bool {
	select {
	case <-x.done:
		return false
	default:
		return true
	}
}

// Leave implements stream.
func (x *watched) Leave(*place) {
	x.leave()
	<-x.done
}

// peer is a tunnel of the test's own.
type peer struct {
	*tunnel.Conn
	http *http.Client
}

func (p *place) ownTunnel() *peer {
	p.t.Helper()
	if p.tunnel != nil {
		select {
		case <-p.tunnel.Done():
		default:
			return p.tunnel
		}
	}
	c := p.Tunnel(p.own)
	p.tunnel = &peer{c, &http.Client{Transport: c.Transport()}}
	return p.tunnel
}

// answer asks for a long answer through the test's own tunnel.
func (p *place) answer(path string) stream {
	p.t.Helper()
	tunnel := p.ownTunnel()
	ctx, cancel := context.WithCancel(context.Background())
	host := strings.TrimPrefix(p.Info.URL, "http://")
	get := func(path string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
		if err != nil {
			return nil, err
		}
		return tunnel.http.Do(r)
	}
	resp, err := get(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s answered %s", path, resp.Status)
	}
	x := watch(cancel)
	go func() {
		defer close(x.done)
		defer resp.Body.Close()
		part := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(part)
			x.add(n)
			if err == nil {
				continue
			}
			x.end.at = time.Now()
			if !errors.Is(err, io.EOF) {
				x.end.err = err
			}
			if ctx.Err() != nil {
				return
			}
			next, err := get("/r/ledger/whoami")
			if err != nil {
				x.end.next = err.Error()
				return
			}
			defer next.Body.Close()
			body, _ := io.ReadAll(next.Body) // what there is of it
			x.end.next = next.Status + " " + string(body)
			return
		}
	}()
	x.flows(p, path)
	return x
}

// terminal opens the workspace's terminal and lets it write.
func (p *place) terminal() stream {
	p.t.Helper()
	t := p.Terminal(who, p.ws)
	p.Eventually("the terminal shows a prompt", func() bool { return strings.Contains(t.Output(), "$") })
	if err := t.Type("echo here I $((1+1)) am\n"); err != nil {
		p.t.Fatal(err)
	}
	p.Eventually("the terminal answers", func() bool { return strings.Contains(t.Output(), "here I 2 am") })
	x := watch(t.Close)
	go func() {
		defer close(x.done)
		<-t.Ended()
		code, _, at := t.End()
		x.end = ending{at: at, said: t.Output(), status: int(code)}
	}()
	return x
}

// exec runs a command that writes for ever.
func (p *place) exec() stream {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := watch(cancel)
	r := p.As(who)
	go func() {
		defer close(x.done)
		code, err := r.Exec(ctx, p.ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", "while :; do echo tick; sleep 0.1; done"}},
			agentapi.Streams{Stdout: counter(x.add)})
		x.end = ending{at: time.Now(), status: code, err: err}
	}()
	x.flows(p, "exec")
	return x
}

// forwarded holds the right to forward ports, which is what tells that it ended.
func (p *place) forwarded() stream {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := watch(cancel)
	r := p.As(who)
	go func() {
		defer close(x.done)
		err := r.Holding(ctx, p.ws.ID, func() { x.add(1) })
		x.end = ending{at: time.Now(), err: err}
	}()
	x.flows(p, "port-forward")
	return x
}

type counter func(int)

func (c counter) Write(b []byte) (int, error) {
	c(len(b))
	return len(b), nil
}

// dashboard follows what is open, as the first page does.
func (p *place) dashboard() stream {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := watch(cancel)
	r := p.As(who)
	go func() {
		defer close(x.done)
		err := r.FollowLeases(ctx, "", func(l api.Leases) { x.add(1) })
		x.end = ending{at: time.Now(), err: err}
		if err == nil {
			x.end.err = fmt.Errorf("a clean end")
		}
	}()
	x.flows(p, "the dashboard's stream")
	return x
}

// signIn signs ada in anew; her workspaces' sessions are adopted. The tenant may just have let her in again.
func (p *place) signIn() {
	p.t.Helper()
	u, err := p.Info.User(who)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Eventually("ada can sign in", func() bool {
		r, err := p.Info.SignIn(p.Context(), u)
		if err == nil {
			p.Is(who, r)
		}
		return err == nil
	})
}

// start starts what was stopped.
func (p *place) start() {
	p.t.Helper()
	for _, ws := range []*api.Workspace{&p.ws, &p.own} {
		if _, err := p.As(who).StartWorkspace(p.Context(), ws.ID); err != nil {
			p.t.Fatal(err)
		}
		again, err := p.As(who).Follow(p.Context(), ws.ID, func(api.Progress) {})
		if err != nil || again.Phase != "running" {
			p.t.Fatalf("start %s again: %s %s %v", ws.ID, again.Phase, again.Message, err)
		}
		*ws = again
	}
}
