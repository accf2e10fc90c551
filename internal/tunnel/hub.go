// Package tunnel is the connection that a peer dials to the server: a Unix socket in a folder of the workspace's
// own, on which both ends open streams. The Hub is the server's end and the only way to a workspace.
//
// On the wire: one line of JSON each way (Hello), then yamux. A stream that the peer opens carries HTTP/1.1
// requests to the server's Handler; a stream that the server opens carries HTTP/1.1 requests to the peer's. Beside that
// connection a peer may dial a number of plain ones: after their hello they carry HTTP/1.1 requests to the Handler as
// they are. They end with the tunnel.
//
// A connection may be closed in the middle of an answer. Both ends send a body of unknown length in chunks, so what
// is cut is an error for whoever reads it (unexpected EOF), never a clean end.
package tunnel

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// HubConfig is what NewHub needs.
type HubConfig struct {
	Dir     string       // folder of the workspaces' socket folders; short, since a socket's path stays under 100 bytes
	Handler http.Handler // serves what comes from workspaces; WorkspaceFrom(r.Context()) is who asks
	Build   string       // the server's version, told to peers
	// ConnContext, which may be nil, adds to the context of the requests that come on a stream.
	ConnContext func(context.Context, net.Conn) context.Context
	// Hidden keeps every other user of this machine out of Dir. It takes a runtime that mounts from there by a power of its own,
	// and is needed where workspaces run under numbers that users of this machine may have too.
	Hidden bool
	Log    *slog.Logger
}

// Hub accepts the tunnels of workspaces and opens streams to them. Its methods may be called concurrently.
type Hub struct {
	dir       string
	hidden    bool
	build     string
	log       *slog.Logger
	server    *http.Server
	transport *http.Transport
	plains    *plainListener

	mu     sync.Mutex
	doors  map[identity.WorkspaceID]*door
	closed bool
	wg     sync.WaitGroup
}

// door is one workspace's socket and, when its peer is connected, the session.
type door struct {
	id       identity.WorkspaceID
	uid      int
	dir      string
	listener *net.UnixListener
	session  *yamux.Session
	hello    Hello
	since    time.Time
	changed  chan struct{} // closed and replaced when session changes
	pending  map[net.Conn]struct{}
	plain    map[*plainConn]struct{}
}

// NewHub returns a Hub that listens for no workspace yet.
func NewHub(c HubConfig) *Hub {
	h := &Hub{dir: c.Dir, hidden: c.Hidden, build: c.Build, log: c.Log, plains: newPlainListener(), doors: make(map[identity.WorkspaceID]*door)}
	h.server = newServer(c.Handler, c.Log)
	h.server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if p, ok := conn.(peerConn); ok {
			ctx = context.WithValue(ctx, workspaceKey{}, p.workspace())
		}
		if c.ConnContext != nil {
			ctx = c.ConnContext(ctx, conn)
		}
		return ctx
	}
	h.transport = newTransport(func(ctx context.Context, _, addr string) (net.Conn, error) {
		label, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		id, err := identity.WorkspaceFromLabel(label)
		if err != nil {
			return nil, err
		}
		return h.Dial(ctx, id)
	})
	h.wg.Go(func() { _ = h.server.Serve(h.plains) }) // until Shutdown
	return h
}

type workspaceKey struct{}

// WorkspaceFrom returns the workspace whose tunnel carries a request. It is false for requests that came otherwise.
func WorkspaceFrom(ctx context.Context) (identity.WorkspaceID, bool) {
	id, ok := ctx.Value(workspaceKey{}).(identity.WorkspaceID)
	return id, ok
}

// Status is what a Hub knows of a workspace's tunnel.
type Status struct {
	Connected bool
	Build     string // of the peer
	Start     string // the peer's start ID: another one means another process
	Since     time.Time
}

// Status reports on the tunnel of id; the zero Status if there is none.
func (h *Hub) Status(id identity.WorkspaceID) Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.doors[id]
	if d == nil || d.session == nil {
		return Status{}
	}
	return Status{Connected: true, Build: d.hello.Build, Start: d.hello.Start, Since: d.since}
}

// Connected reports whether the workspace's peer is connected now.
func (h *Hub) Connected(id identity.WorkspaceID) bool { return h.Status(id).Connected }

// Dial opens a stream to the workspace's peer. The error is problem.Unavailable when it is not connected.
func (h *Hub) Dial(_ context.Context, id identity.WorkspaceID) (net.Conn, error) {
	h.mu.Lock()
	var s *yamux.Session
	if d := h.doors[id]; d != nil {
		s = d.session
	}
	h.mu.Unlock()
	if s == nil {
		return nil, problem.New(problem.Unavailable, "The workspace %s is not connected.", id)
	}
	stream, err := s.Open()
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace %s is not connected.", id)
	}
	return stream, nil
}

// Wait returns when the workspace's peer is connected, or with ctx's error, or problem.Unavailable when nobody
// listens for that workspace (any more).
func (h *Hub) Wait(ctx context.Context, id identity.WorkspaceID) error {
	for {
		h.mu.Lock()
		d := h.doors[id]
		var changed chan struct{}
		if d != nil {
			if d.session != nil {
				h.mu.Unlock()
				return nil
			}
			changed = d.changed
		}
		h.mu.Unlock()
		if d == nil {
			return problem.New(problem.Unavailable, "The workspace %s is not running.", id)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return problem.Wrap(context.Cause(ctx), problem.Unavailable, "The workspace %s did not connect in time.", id)
		}
	}
}

// Client returns an HTTP client's side towards one workspace's peer: whatever host a request names, it goes there.
// Connections are kept and shared with every other Client of this Hub.
func (h *Hub) Client(id identity.WorkspaceID) http.RoundTripper {
	return workspaceClient{id: id, transport: h.transport}
}

type workspaceClient struct {
	id        identity.WorkspaceID
	transport *http.Transport
}

func (c workspaceClient) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.WithContext(r.Context())
	u := *r.URL
	u.Scheme, u.Host = "http", c.id.Label()
	out.URL = &u
	if out.Host == "" {
		out.Host = r.URL.Host
	}
	return c.transport.RoundTrip(out)
}

// Close stops listening for a workspace and ends its tunnel. Its folder stays: while the workspace's processes run
// they see that folder, and a later Listen puts the new socket into it.
func (h *Hub) Close(id identity.WorkspaceID) {
	h.mu.Lock()
	d := h.doors[id]
	delete(h.doors, id)
	h.mu.Unlock()
	if d != nil {
		h.shut(d)
		_ = os.Remove(filepath.Join(d.dir, SocketName)) // a stale socket is replaced by the next Listen
	}
}

// Remove is Close for a workspace that is being deleted: its folder goes too.
func (h *Hub) Remove(id identity.WorkspaceID) error {
	h.Close(id)
	return os.RemoveAll(filepath.Join(h.dir, id.Label()))
}

func (h *Hub) shut(d *door) {
	d.listener.Close()
	h.mu.Lock()
	s := d.session
	d.session = nil
	close(d.changed)
	d.changed = make(chan struct{})
	for c := range d.pending {
		c.Close()
	}
	plain := d.takePlain()
	h.mu.Unlock()
	for _, c := range plain {
		c.Close()
	}
	if s != nil {
		s.Close()
	}
}

// Shutdown ends all tunnels and waits for what serves them. Folders and workspaces stay; a new Hub's Listen is
// found by their agents.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	doors := h.doors
	h.doors = make(map[identity.WorkspaceID]*door)
	h.mu.Unlock()
	for _, d := range doors {
		h.shut(d)
	}
	h.plains.Close()
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, h.server.Close())
	}
	h.transport.CloseIdleConnections()
	h.wg.Wait()
	return err
}
