package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// At most so many folders of builds are in memory at a time; who gives up waiting holds nothing, and who needs none takes none.
func TestAttack27BuildFoldersAtOnce(t *testing.T) {
	room := newBuildRoom()
	var now, most atomic.Int64
	var all sync.WaitGroup
	proceed := make(chan struct{})
	for range 4 * foldersAtOnce {
		all.Go(func() {
			h := room.hold()
			defer h.leave()
			if err := h.take(t.Context()); err != nil {
				t.Error(err)
				return
			}
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-proceed
			now.Add(-1)
		})
	}
	for deadline := time.Now().Add(time.Minute); now.Load() < foldersAtOnce && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	room.hold().leave() // a build that was there already
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late := room.hold()
	if err := late.take(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	late.leave()
	close(proceed)
	all.Wait()
	if most.Load() != foldersAtOnce || len(room) != 0 {
		t.Errorf("%d at once, %d held afterwards", most.Load(), len(room))
	}
}
