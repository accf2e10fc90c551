package tunnel

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// maxPlain is how many plain connections a workspace may have. They spare the data path the framing that streams need, and
// cost a descriptor each; what comes beyond them goes on streams, which cost none.
const maxPlain = 64

// plainListener gives the plain connections of all workspaces to the HTTP server.
type plainListener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPlainListener() *plainListener {
	l := &plainListener{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

func (l *plainListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *plainListener) Close() error   { l.close(); return nil }
func (l *plainListener) Addr() net.Addr { return &net.UnixAddr{Name: "plain", Net: "unix"} }

// plainConn is a connection of a workspace's own that carries requests as they are.
type plainConn struct {
	*net.UnixConn
	id     identity.WorkspaceID
	closed func()
}

func (c *plainConn) Close() error {
	c.closed()
	return c.UnixConn.Close()
}

// workspace implements peerConn.
func (c *plainConn) workspace() identity.WorkspaceID { return c.id }

// peerConn is a connection that came from a workspace: a stream or a plain one.
type peerConn interface{ workspace() identity.WorkspaceID }

var errPlainFull = errors.New("no more plain connections")

// plain takes c as a plain connection of d's peer and gives it to the HTTP server.
func (h *Hub) plain(d *door, c *net.UnixConn) error {
	conn := &plainConn{UnixConn: c, id: d.id}
	conn.closed = sync.OnceFunc(func() {
		h.mu.Lock()
		delete(d.plain, conn)
		h.mu.Unlock()
	})
	ctx, cancel := context.WithTimeout(context.Background(), helloTime)
	defer cancel()
	if err := h.Wait(ctx, d.id); err != nil { // the peer may be quicker than we are with its tunnel
		return err
	}
	h.mu.Lock()
	if h.doors[d.id] != d || d.session == nil || len(d.plain) >= maxPlain {
		h.mu.Unlock()
		return errPlainFull
	}
	d.plain[conn] = struct{}{}
	h.mu.Unlock()
	if err := writeHello(c, Hello{Protocol: Protocol, Build: h.build}); err != nil {
		conn.Close()
		return err
	}
	select {
	case h.plains.conns <- conn:
		return nil
	case <-h.plains.done:
		conn.Close()
		return net.ErrClosed
	}
}

// takePlain lists the plain connections that a door's peer has, to be closed. The hub's lock is held.
func (d *door) takePlain() []*plainConn {
	var all []*plainConn
	for c := range d.plain {
		all = append(all, c)
	}
	return all
}

// openPlain dials a connection for requests.
func (c *Conn) openPlain(ctx context.Context) (net.Conn, error) {
	if c.plain.Add(1) > maxPlain {
		c.plain.Add(-1)
		return nil, errPlainFull
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", c.peer.Socket)
	if err != nil {
		c.plain.Add(-1)
		return nil, err
	}
	counted := &countedConn{UnixConn: raw.(*net.UnixConn), closed: sync.OnceFunc(func() { c.plain.Add(-1) })}
	if _, err := introduce(raw, Hello{Protocol: Protocol, Build: c.peer.Build, Start: c.peer.Start, Plain: true}); err != nil {
		counted.Close()
		return nil, err
	}
	return counted, nil
}

// countedConn tells when it is closed.
type countedConn struct {
	*net.UnixConn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.UnixConn.Close()
}
