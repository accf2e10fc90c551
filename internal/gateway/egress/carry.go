package egress

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	firstWithin = 30 * time.Second       // a client takes for its first bytes where it speaks first
	silence     = 500 * time.Millisecond // after which a client elsewhere is taken to wait for the server
)

// carry carries a connection until either side ends it. At 443 it is TLS, at 80 HTTP. Other ports stand in the project's file
// one by one: there the first bytes say what it is, and a client that waits for its server to begin is given what that says.
func (x *exchange) carry(c *client, out net.Conn) {
	var down sync.WaitGroup
	defer down.Wait()
	defer out.Close()
	answer := sync.OnceFunc(func() {
		down.Go(func() {
			_ = x.copy(c, out) // whoever ended it, it is over
			c.Close()
			out.Close()
		})
	})
	begun := false
	wait := firstWithin
	if x.port != 80 && x.port != 443 {
		wait = silence
	}
	_ = c.SetReadDeadline(time.Now().Add(wait)) // a tunnel's connections have deadlines
	what, err := c.speech()
	if timedOut(err) && wait == silence {
		answer()
		begun = true
		_ = c.SetReadDeadline(time.Time{})
		what, err = c.speech()
	}
	_ = c.SetReadDeadline(time.Now().Add(firstWithin))
	switch {
	case err != nil:
		return
	case x.port == 443 && what != inTLS:
		x.refuse("what is said to port 443 has to be TLS, or nobody knows to which host")
		return
	case what == inHTTP && begun:
		x.refuse("HTTP is not said to a server that has begun to speak by itself")
		return
	case what == inHTTP || x.port == 80:
		_ = c.SetReadDeadline(time.Time{})
		x.requests(c, out)
		return
	}
	var from io.Reader = c
	if what == inTLS {
		read, ok := x.greets(c)
		if !ok {
			return
		}
		from = io.MultiReader(bytes.NewReader(read), c)
	}
	_ = c.SetReadDeadline(time.Time{})
	answer()
	if x.copy(out, from) == nil && closeWrite(out) == nil {
		down.Wait() // the server may have more to say
	}
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func timedOut(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}

// copy copies until from ends, which is no error.
func (x *exchange) copy(to io.Writer, from io.Reader) error {
	buf := x.buffers.Get().(*[bufferSize]byte)
	defer x.buffers.Put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			x.lease.Count(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
