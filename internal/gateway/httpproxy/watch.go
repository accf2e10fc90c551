package httpproxy

import (
	"cmp"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// idleTimeout is how long a request may be open without a byte in either direction, where its app says nothing else.
// Streams of events and WebSockets that are to last longer send something now and then, as most do.
const idleTimeout = 5 * time.Minute

var errIdle = errors.New("nothing was sent in either direction for too long")

func (x *exchange) idle() time.Duration { return cmp.Or(x.app.Connection.Idle, idleTimeout) }

// watch ends a request in which nothing moves. Its timer is set once; what moves only notes when.
type watch struct {
	limit time.Duration
	last  atomic.Int64 // Unix nanoseconds
	fired atomic.Bool
	fire  func()

	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

func (w *watch) start(limit time.Duration, fire func()) {
	w.limit, w.fire = limit, fire
	w.moved()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(limit, w.look)
}

func (w *watch) moved() { w.last.Store(time.Now().UnixNano()) }

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	if left := w.limit - time.Since(time.Unix(0, w.last.Load())); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.over = true
	w.fired.Store(true) // first, see exchange.begin
	w.fire()
}

// then fires something else from now on, at once where it has fired already.
func (w *watch) then(fire func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fire = fire
	if w.fired.Load() {
		fire()
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}
