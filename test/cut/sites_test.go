package cut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// appStreams are what browsers and programs hold open with an app besides what streams_test.go has.
func appStreams() []kind {
	return []kind{
		{
			name: "WebSocket of an app, browser", action: "app:call", resource: "ledger", browser: true,
			open: func(p *place) stream {
				site := p.site()
				conn, _, err := p.As(who).Browser.WebSocket(p.Context(), "ws"+strings.TrimPrefix(site, "http")+"live")
				return p.socket(conn, err)
			},
			says: socketClosed,
		},
		{
			name: "WebSocket of an app, tunnel", action: "app:call", resource: "ledger",
			open: func(p *place) stream {
				tunnel := p.ownTunnel()
				address := "ws" + strings.TrimPrefix(p.Info.URL, "http") + "/r/ledger/live"
				conn, _, err := websocket.Dial(p.Context(), address, &websocket.DialOptions{HTTPClient: tunnel.http})
				return p.socket(conn, err)
			},
			says: socketClosed,
		},
		{
			name: "server-sent events of an app, browser", action: "app:call", resource: "ledger", browser: true,
			open: func(p *place) stream { return p.events(p.site() + "watch") },
			says: func(e ending, reason, next string) error {
				if e.err == nil {
					return errors.New("the stream ended as if it were whole")
				}
				last := e.said[max(0, strings.LastIndex(e.said, "event: ")):]
				return goodbye("the last event", last, "event: lanyard-closed\ndata: "+reason+"\n\n")
			},
		},
	}
}

// socketClosed checks how a WebSocket ended. A close frame has room for 123 bytes of reason.
func socketClosed(e ending, reason, next string) error {
	if e.err == nil {
		return errors.New("the WebSocket ended without an error")
	}
	if e.status != int(websocket.StatusPolicyViolation) {
		return silent{fmt.Errorf("the close code is %d: %w", e.status, e.err)}
	}
	words := "Lanyard closed this: " + reason
	return goodbye("the close frame", e.said, words[:min(len(words), 123)])
}

// site is where browsers open the ledger, once the session was handed over to it.
func (p *place) site() string {
	p.t.Helper()
	projects, err := p.As(who).Projects(p.Context())
	if err != nil || len(projects) == 0 || len(projects[0].AppSites) == 0 {
		p.t.Fatalf("apps: %+v %v", projects, err)
	}
	site := projects[0].AppSites[0].URL
	r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, site, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := p.As(who).Browser.HTTP().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s answered %s", site, resp.Status)
	}
	return site
}

// socket reads a WebSocket that was opened.
func (p *place) socket(conn *websocket.Conn, err error) stream {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := watch(cancel)
	go func() {
		defer close(x.done)
		defer conn.CloseNow()
		for {
			_, message, err := conn.Read(ctx)
			x.add(len(message))
			if err == nil {
				continue
			}
			x.end = ending{at: time.Now(), err: err, status: int(websocket.CloseStatus(err))}
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				x.end.said = closed.Reason
			}
			return
		}
	}()
	x.flows(p, "the WebSocket")
	return x
}

// events reads a stream of events in the browser.
func (p *place) events(address string) stream {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.As(who).Browser.HTTP().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s answered %s", address, resp.Status)
	}
	x := watch(cancel)
	go func() {
		defer close(x.done)
		defer resp.Body.Close()
		var said lastBytes
		_, err := io.Copy(io.MultiWriter(&said, counter(x.add)), resp.Body)
		x.end = ending{at: time.Now(), err: err, said: said.String()}
	}()
	x.flows(p, address)
	return x
}

// lastBytes keeps the end of what is written.
type lastBytes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lastBytes) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 1<<16 {
		l.buf.Next(l.buf.Len() - 1<<12)
	}
	return l.buf.Write(b)
}

func (l *lastBytes) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
