package workspace

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// sweepEvery is how often what runs is compared with what should, where the runtime says by itself what changes.
const sweepEvery = time.Minute

// watch follows the runtime's own word on what starts and ends, until ctx ends. While it has none, what runs is asked for
// every lookEvery.
func (m *Manager) watch(ctx context.Context, w Watcher) {
	for ctx.Err() == nil {
		m.watched.Store(true)
		m.notice() // what changed while nobody watched
		err := w.Watch(ctx, func(identity.WorkspaceID) { m.notice() })
		m.watched.Store(false)
		if ctx.Err() != nil {
			return
		}
		m.c.Log.Warn("the runtime does not say what changes; it is asked until it does", "runtime", m.c.Runtime.Name(), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// notice lets what runs be compared with what should, soon.
func (m *Manager) notice() {
	select {
	case m.noticed <- struct{}{}:
	default: // it will be anyhow
	}
}
