package httpproxy

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
)

// events reads a stream of server-sent events (HTML, section 9.2) event by event, so that after a cut one more can
// be said between two of them.
type events struct {
	from    io.ReadCloser
	reason  func() access.Reason
	buf     []byte // read and not yet given out
	ready   int    // how much of buf may be given out: whole events
	torn    bool   // the last event was too large to be held, so part of it is out
	finally error  // given out after what is ready
}

// maxEvent is how large an event may be to be held whole.
const maxEvent = 256 << 10

// Read implements io.Reader.
func (e *events) Read(p []byte) (int, error) {
	for e.ready == 0 {
		if e.finally != nil {
			return 0, e.finally
		}
		e.fill()
	}
	n := copy(p, e.buf[:e.ready])
	e.buf = append(e.buf[:0], e.buf[n:]...)
	e.ready -= n
	return n, nil
}

func (e *events) fill() {
	var part [8 << 10]byte
	n, err := e.from.Read(part[:])
	e.buf = append(e.buf, part[:n]...)
	if end := lastBoundary(e.buf); end > 0 {
		e.ready, e.torn = end, false
	} else if len(e.buf) > maxEvent {
		e.ready, e.torn = len(e.buf), true
	}
	if err == nil {
		return
	}
	e.finally = err
	switch reason := e.reason(); {
	case !reason.IsZero() && !e.torn:
		e.buf = append(e.buf[:e.ready], closing(reason)...)
		e.ready = len(e.buf)
		e.finally = reason // whatever the app's end was: the answer is not whole
	case errors.Is(err, io.EOF):
		e.ready = len(e.buf)
	}
}

// closing is the last event of a stream that was cut.
func closing(r access.Reason) string {
	return "event: lanyard-closed\ndata: " + strings.ReplaceAll(gateway.Printable(r.Text), "\n", " ") + "\n\n"
}

// lastBoundary is where the last whole event ends: after an empty line.
func lastBoundary(b []byte) int {
	end := 0
	for _, mark := range []string{"\n\n", "\n\r\n", "\r\r"} {
		if i := bytes.LastIndex(b, []byte(mark)); i >= 0 {
			end = max(end, i+len(mark))
		}
	}
	return end
}

// Close implements io.Closer.
func (e *events) Close() error { return e.from.Close() }
