package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
)

// Yield forgets what waits for the store, and reads what is stored: another process writes the directory now, or did
// since. Whoever waits for a change to be stored is told that it was not. Until the store answers nothing is accepted.
func (d *Directory) Yield(ctx context.Context) error {
	d.mu.Lock()
	for _, p := range d.waiting {
		p.err = fmt.Errorf("change the directory: %w", feed.ErrFenced)
		close(p.done)
	}
	d.waiting, d.loaded = nil, false
	d.mu.Unlock()
	return d.reload(ctx, false)
}

// Refreshed takes over that the directory, as it is stored, was still true at a moment: whoever writes it has asked.
func (d *Directory) Refreshed(asOf time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.loaded || !asOf.After(d.Snapshot().asOf) {
		return
	}
	next := d.allowed()
	next.asOf = asOf
	d.show(next, false)
}
