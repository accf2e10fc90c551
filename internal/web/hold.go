package web

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
)

// Hold gives the lease what the request came on, so that a cut closes it. The handler calls release when it is done.
func Hold(l *access.Lease, w http.ResponseWriter, r *http.Request) (release func()) {
	line, release := Line(w, r)
	if line != nil {
		l.Hold(line)
	}
	return release
}

// Line is what a request came on: the connection, or with HTTP/2, where a connection may carry other people's requests too,
// this request's stream alone; nil where the server does not say. The handler calls release when it is done.
func Line(w http.ResponseWriter, r *http.Request) (line io.Closer, release func()) {
	if r.ProtoMajor < 2 {
		if conn := ConnFrom(r.Context()); conn != nil {
			return conn, nothing
		}
		return nil, nothing
	}
	limits := NewLimits(w)
	return limits, limits.Release
}

func nothing() {}

// Limits ends what a handler waits for, from another goroutine: reading the request, writing the answer. What is ended
// stays ended.
type Limits struct {
	controller *http.ResponseController
	mu         sync.Mutex
	released   bool
}

// NewLimits returns the limits of the request that w answers. Its handler calls Release before it returns: afterwards
// the connection is somebody else's.
func NewLimits(w http.ResponseWriter) *Limits {
	return &Limits{controller: http.NewResponseController(w)}
}

// EndRead makes reading the request's body fail from now on.
func (l *Limits) EndRead() { l.end((*http.ResponseController).SetReadDeadline) }

// EndWrite makes writing the answer fail from now on; with HTTP/2 it resets the stream.
func (l *Limits) EndWrite() { l.end((*http.ResponseController).SetWriteDeadline) }

func (l *Limits) end(deadline func(*http.ResponseController, time.Time) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.released {
		_ = deadline(l.controller, time.Unix(1, 0)) // a writer without deadlines, as in tests, waits for nobody
	}
}

// Close implements io.Closer: it ends both.
func (l *Limits) Close() error {
	l.EndRead()
	l.EndWrite()
	return nil
}

// Release makes the other methods do nothing.
func (l *Limits) Release() {
	l.mu.Lock()
	l.released = true
	l.mu.Unlock()
}
