package entra

import (
	"sync"
	"time"
)

// bell is rung by notifications; several rings before it is answered are one.
type bell struct {
	rung chan struct{} // holds something as long as there are rings to answer

	mu    sync.Mutex
	kinds kinds
	since time.Time // when the first of these rings arrived
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1)} }

func (b *bell) ring(k kinds, arrived time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kinds == 0 {
		b.since = arrived
	}
	b.kinds |= k
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

func (b *bell) answer() (k kinds, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.rung: // whoever answers without having waited
	default:
	}
	k, since = b.kinds, b.since
	b.kinds, b.since = 0, time.Time{}
	return k, since
}
