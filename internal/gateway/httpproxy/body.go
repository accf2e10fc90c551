package httpproxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// requestBody is the request's body on its way to the app.
type requestBody struct {
	from     io.ReadCloser
	x        *exchange
	trailers http.Header // that go out, filled at the body's end
	begun    atomic.Bool // something was read
	closed   atomic.Bool // the app's side wants no more of it
	end      atomic.Pointer[error]
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.begun.Store(true)
	n, err := b.from.Read(p)
	b.x.watch.moved()
	b.x.lease.Count(int64(n))
	if err != nil {
		if errors.Is(err, io.EOF) {
			for name := range b.trailers {
				b.trailers[name] = b.x.in.Trailer[name]
			}
		}
		b.end.Store(&err)
	}
	return n, err
}

// Close implements io.Closer. What is left belongs to whoever answers, see drain.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

// failed is why the body could not be read to its end, if it could not.
func (b *requestBody) failed() error {
	if b == nil {
		return nil
	}
	if err := b.end.Load(); err != nil && !errors.Is(*err, io.EOF) {
		return *err
	}
	return nil
}

// What is read of a request that was answered before its end. Who is still sending it reads the answer when all is
// sent, and a connection that is closed under it takes the answer away.
const (
	drainBytes = 16 << 20
	drainTime  = 5 * time.Second
)

// drain reads the rest of a request whose answer is out. When it returns, nobody reads the request any more. An answer of
// unknown length is not out before the handler returns, so there is no waiting then.
func (x *exchange) drain(length int64) {
	b := x.body
	if b == nil || b.end.Load() != nil {
		return
	}
	b.Close()
	sends := b.begun.Load() || x.in.Header.Get("Expect") == "" // who asked whether to send it, and was told nothing, does not
	if length >= 0 && x.in.ProtoMajor == 1 && sends {
		limits := http.NewResponseController(x.w)
		if limits.Flush() == nil && limits.SetReadDeadline(time.Now().Add(drainTime)) == nil {
			if _, err := io.CopyN(io.Discard, b.from, drainBytes); errors.Is(err, io.EOF) { // all has come: the connection goes on
				_ = limits.SetReadDeadline(time.Time{}) // it was set, so it can be
				return
			}
		}
	}
	x.limits.EndRead()
}
