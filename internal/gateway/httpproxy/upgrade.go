package httpproxy

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// switched goes on with a connection that the app has upgraded to a WebSocket.
func (x *exchange) switched(resp *http.Response) error {
	back, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || !x.upgrade || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		resp.Body.Close()
		return x.lied("it changes to a protocol that nobody asked for")
	}
	defer back.Close()
	x.lease.Hold(back)
	conn, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return problem.Wrap(err, problem.Internal, "This connection cannot become a WebSocket.")
	}
	defer conn.Close()
	x.began.Store(true)
	x.limits.Release()
	both := sync.OnceFunc(func() { conn.Close(); back.Close() })
	x.watch.then(both)
	closer := io.Closer(back)
	x.back.Store(&closer)
	if !x.lease.Reason().IsZero() {
		back.Close() // cut before there was somebody to close it
	}

	h := http.Header{}
	x.answerHeaders(h, resp.Header)
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	head := http.Response{StatusCode: resp.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: h}
	if err := head.Write(buffered); err != nil {
		return http.ErrAbortHandler
	}
	if err := buffered.Flush(); err != nil {
		return http.ErrAbortHandler
	}
	var sent sync.WaitGroup
	sent.Go(func() { // what the client says; the answer's side goes on in this goroutine
		defer both()
		_ = x.relay(back, buffered.Reader, nil) // how it ended shows on the other side
	})
	var at frames
	_ = x.relay(conn, back, &at)
	if reason := x.lease.Reason(); !reason.IsZero() && at.whole() {
		_, _ = conn.Write(closeFrame(reason)) // at best effort, before the lease closes the connection
	}
	x.farewell.Said()
	both()
	sent.Wait()
	return nil
}

// relay copies until an end. at, if there is one, follows the frames that were copied whole.
func (x *exchange) relay(to io.Writer, from io.Reader, at *frames) error {
	buf := x.buffers.get()
	defer x.buffers.put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			x.watch.moved()
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			x.lease.Count(int64(n))
			if at != nil {
				at.pass(buf[:n])
			}
		}
		if err != nil {
			return err
		}
	}
}
