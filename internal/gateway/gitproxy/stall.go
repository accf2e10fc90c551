package gitproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
)

// defaultIdle is how long nothing may move in either direction. Git itself says something every few seconds while it
// works (uploadpack.keepAlive, receive.keepAlive).
const defaultIdle = 5 * time.Minute

var errStalled = errors.New("nothing moved for too long")

// watch ends an exchange in which nothing moves: an upstream that stalls, a client that takes nothing. The timer costs
// less than a deadline for every write.
type watch struct {
	timer *time.Timer
	idle  time.Duration
	over  atomic.Bool
}

// lastWords is how long there is to tell a client that its exchange has stalled.
const lastWords = 2 * time.Second

// watched gives the exchange's context an end after silence, at which the client's connection is closed, too, a moment
// after who waits for the upstream could say why.
func (x *exchange) watched(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{idle: x.c.Idle}
	close := func() {
		if x.line != nil && !w.over.Load() {
			x.line.Close()
		}
	}
	w.timer = time.AfterFunc(w.idle, func() {
		if !w.over.Load() {
			cancel(errStalled)
			time.AfterFunc(lastWords, close)
		}
	})
	x.watch = w
	return ctx
}

// moved says that bytes have moved. It may be called after end.
func (w *watch) moved() {
	if !w.over.Load() {
		w.timer.Reset(w.idle)
	}
}

// read says so of what was read.
func (w *watch) read(n int64) {
	if n > 0 {
		w.moved()
	}
}

func (w *watch) end() {
	w.over.Store(true)
	w.timer.Stop()
}

func (x *exchange) stalled() bool { return errors.Is(context.Cause(x.r.Context()), errStalled) }

// silence is what is said of it.
func (x *exchange) silence() string {
	return fmt.Sprintf("nothing came for %s, neither from here nor from the upstream, so this was closed.", x.watch.idle)
}

// count counts bytes of an access that moves.
func (x *exchange) count(lease *access.Lease) func(int64) {
	return func(n int64) {
		if n > 0 {
			lease.Count(n)
			x.watch.moved()
		}
	}
}

// end says that the exchange ended by itself.
func (x *exchange) end(lease *access.Lease) {
	x.watch.end()
	lease.End()
	x.release()
}

// bounded is the body of a fetch: what is wanted and what is there already, and no more than anybody needs to say that,
// however well it was compressed.
type bounded struct {
	io.Reader
	left int64
}

const maxRequest = 64 << 20

var errRequest = errors.New("the request is larger than any that Git makes")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRequest
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
