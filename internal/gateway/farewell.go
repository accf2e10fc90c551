package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/access"
)

// Farewell lets the goroutine that writes an answer also write its last words after a cut, so that nobody else
// writes at the same moment. Its Bye is given to Open; the handler defers Said.
type Farewell struct {
	once sync.Once
	said chan struct{}
}

// NewFarewell returns a Farewell that waits.
func NewFarewell() *Farewell { return &Farewell{said: make(chan struct{})} }

// Bye waits for Said. The lease closes the connections when Bye returns or access.Goodbye is over.
func (f *Farewell) Bye(access.Reason) { <-f.said }

// Said ends the waiting.
func (f *Farewell) Said() { f.once.Do(func() { close(f.said) }) }

// Abort ends an answer that was cut: when the lease has closed the connections, it returns the error that makes the
// server reset what is left, so that nobody takes the answer for whole.
func (f *Farewell) Abort(l *access.Lease) error {
	f.Said()
	if !l.Reason().IsZero() {
		<-l.Cut()
	}
	return http.ErrAbortHandler
}

// Printable takes what a terminal would obey out of a text that a program shows to its user: names in it come from
// directories and from upstreams.
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' && c != '\n', c >= 0x7f && c < 0xa0, c >= 0x200b && c <= 0x200f, c >= 0x2028 && c <= 0x202e, c >= 0x2060 && c <= 0x2069, c == 0xfeff:
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// WriteWhole writes an answer of which the length is said and which is sent at once: after a cut it is whole before
// the connection is closed.
func WriteWhole(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err == nil {
		_ = http.NewResponseController(w).Flush() // a client that is gone needs no words
	}
}
