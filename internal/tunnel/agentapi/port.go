package agentapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Port connects to a port of the workspace's loopback. Frames are binary and hold the connection's bytes; an empty one says that
// its sender sends no more. Port 0 is no port: a connection that stays for as long as the agent does. The caller closes it.
func (c Client) Port(ctx context.Context, port int) (*websocket.Conn, error) {
	conn, resp, err := websocket.Dial(ctx, base+"/v1/port/"+strconv.Itoa(port), &websocket.DialOptions{HTTPClient: c.http})
	if err == nil {
		conn.SetReadLimit(maxFrame + 1)
		return conn, nil
	}
	var p *problem.Error
	switch {
	case errors.As(err, &p):
		return nil, p
	case resp == nil:
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace did not answer.")
	}
	switch resp.StatusCode {
	case http.StatusBadGateway:
		return nil, problem.Wrap(err, problem.BadUpstream, "Nothing listens on port %d of the workspace.", port)
	case http.StatusForbidden:
		return nil, problem.Wrap(err, problem.Invalid, "Port %d is Lanyard's own in the workspace, and is not forwarded.", port)
	case http.StatusNotFound:
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace was started by an earlier version, which forwards no ports. Stop it and start it again.")
	}
	return nil, problem.Wrap(err, problem.Unavailable, "The workspace's agent refused the connection.")
}

// Stream is a connection whose two directions end apart, such as a net.TCPConn.
type Stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Carry carries bytes between a connection and one that Port made, until both directions have ended, either breaks, or ctx ends.
// It closes both. Its error is how conn ended, if not as agreed.
func Carry(ctx context.Context, conn *websocket.Conn, s Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.Close() }) // wakes who reads or writes it
	defer stop()
	over := make(chan struct{}) // the other side sends no more
	received := make(chan error, 1)
	go func() {
		defer cancel()
		received <- receive(ctx, conn, s, over)
	}()
	if send(ctx, conn, s) {
		select {
		case <-over:
			_ = conn.Close(websocket.StatusNormalClosure, "") // the other side may have done so already
		case <-ctx.Done():
		}
	}
	conn.CloseNow()
	err := <-received
	s.Close()
	var closed websocket.CloseError
	select {
	case <-over:
		return nil
	default:
	}
	if errors.As(err, &closed) && closed.Code == websocket.StatusNormalClosure {
		return nil
	}
	return err
}

// send sends what s gives until its end; false when it broke.
func send(ctx context.Context, conn *websocket.Conn, s Stream) bool {
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.Read(buffer)
		if n > 0 && conn.Write(ctx, websocket.MessageBinary, buffer[:n]) != nil {
			return false
		}
		if errors.Is(err, io.EOF) {
			return conn.Write(ctx, websocket.MessageBinary, nil) == nil
		}
		if err != nil {
			return false
		}
	}
}

// receive writes what comes to s. It reads on after the end of that, so that it sees the end of the connection.
func receive(ctx context.Context, conn *websocket.Conn, s Stream, over chan<- struct{}) error {
	ended := false
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		switch {
		case kind != websocket.MessageBinary || ended:
		case len(frame) == 0:
			ended = true
			_ = s.CloseWrite() // it has gone if this fails
			close(over)
		default:
			if _, err := s.Write(frame); err != nil {
				return nil
			}
		}
	}
}
