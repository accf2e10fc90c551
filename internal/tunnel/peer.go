package tunnel

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/hashicorp/yamux"
)

// Peer is what Dial needs: the end in the workspace, or a test's.
type Peer struct {
	Socket  string       // path of the server's socket
	Build   string       // version of the program
	Start   string       // start ID (Hello.Start)
	Handler http.Handler // serves the requests of the server; nil answers them with 404
	Log     *slog.Logger // nil discards
}

// Conn is a tunnel that is up. Its methods may be called concurrently.
type Conn struct {
	session   *yamux.Session
	server    *http.Server
	transport *http.Transport
	served    chan struct{}
	hello     Hello
	peer      Peer
	plain     atomic.Int64 // plain connections that are open
}

// Dial connects to the server and says hello. The connection lives until Close or until either side ends it.
func Dial(ctx context.Context, p Peer) (*Conn, error) {
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	handler := p.Handler
	if handler == nil {
		handler = http.NotFoundHandler()
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", p.Socket)
	if err != nil {
		return nil, fmt.Errorf("dial the server: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	answer, err := introduce(raw, Hello{Protocol: Protocol, Build: p.Build, Start: p.Start})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	session, err := yamux.Client(newBuffered(raw), yamuxConfig(log))
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	c := &Conn{session: session, server: newServer(handler, log), served: make(chan struct{}), hello: answer, peer: p}
	c.transport = newTransport(func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Open(ctx) })
	go func() {
		defer close(c.served)
		_ = c.server.Serve(session) // ends when the session does, which Done tells
	}()
	return c, nil
}

// Transport is the HTTP client's side: every request goes to the server, whatever host it names.
func (c *Conn) Transport() *http.Transport { return c.transport }

// Open opens a connection that carries requests to the server's Handler: a plain one, or a stream when there are many.
func (c *Conn) Open(ctx context.Context) (net.Conn, error) {
	if c.session.IsClosed() {
		return nil, net.ErrClosed
	}
	if conn, err := c.openPlain(ctx); err == nil {
		return conn, nil
	}
	return c.session.Open()
}

// Server is the server's answer to the hello.
func (c *Conn) Server() Hello { return c.hello }

// Done is closed when the tunnel is down.
func (c *Conn) Done() <-chan struct{} { return c.session.CloseChan() }

// Close ends the tunnel and the requests on it.
func (c *Conn) Close() error {
	err := c.session.Close()
	_ = c.server.Close() // requests under way have lost their stream
	c.transport.CloseIdleConnections()
	<-c.served
	return err
}
