package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// Rows stores the directory. Both methods are transactions; SaveDirectory's is repeatable: storing a change twice
// gives the same as storing it once, so it may be tried again when nobody knows whether it was done.
type Rows interface {
	// LoadDirectory reads everything, with the cursors, the age and the feed's number from one
	// consistent read.
	LoadDirectory(ctx context.Context) (all Change, cursors map[string]string, asOf time.Time, seq feed.Seq, err error)
	// SaveDirectory writes a change, which is never a reset, with its cursors and age, the feed entry and the
	// events. Of who is gone it names the memberships that end. An entry without a topic is not written: then there is nothing for others to follow.
	SaveDirectory(ctx context.Context, c Change, entry feed.Entry, events ...audit.Event) (feed.Seq, error)
}

// Config is what a Directory needs.
type Config struct {
	Rows Rows
	// Publish makes a snapshot the one that decisions are made from and returns when what rests on the touched
	// users was decided again. Calls come one after the other. It must not call the Directory's methods other
	// than Snapshot. seq is the last feed number whose rows are in the snapshot.
	Publish func(s *Snapshot, touched Touched, seq feed.Seq)
	Log     *slog.Logger
}

// askAtMost bounds the changes for which it is found out whom they touch; with more, it is everybody.
const askAtMost = 20_000

// ErrPending says that what a change takes away is in force here, and that the rest waits for the store, which is
// tried again until it answers.
var ErrPending = errors.New("in force here as far as it takes access away, not yet recorded")

var (
	errNotLoaded = errors.New("the directory was not loaded yet")
	errClosed    = errors.New("the directory is closed")
)

// Directory is the writer of the directory. What takes access away is published before it is stored; what gives
// access is stored before it is published. It is safe for concurrent use; changes take effect in the order in
// which they came.
type Directory struct {
	rows    Rows
	publish func(*Snapshot, Touched, feed.Seq)
	log     *slog.Logger
	current atomic.Pointer[Snapshot]

	io chan struct{} // held while rows are read or written; taken before mu

	mu       sync.Mutex
	loaded   bool
	stored   *Snapshot // as in the store
	target   *Snapshot // as it will be in the store, with all that waits
	seq      feed.Seq
	waiting  []*pending
	writing  bool              // a goroutine is storing what waits
	cursors  map[string]string // as of target
	storedAt time.Time         // when age and cursors were stored last

	closing context.Context // done when retries shall end; it lives as long as the Directory
	close   context.CancelFunc
	writers sync.WaitGroup
}

// pending is a change that waits for the store.
type pending struct {
	base    *Snapshot // what it is to be applied to, and what that gives
	next    *Snapshot
	touched Touched
	effect  Change // what it alters
	cursors map[string]string
	reason  string
	done    chan struct{} // closed when it is stored, or never will be
	err     error         // set before done is closed
}

// New returns a Directory that is empty until Load.
func New(c Config) *Directory {
	d := &Directory{
		rows: c.Rows, publish: c.Publish, log: c.Log, io: make(chan struct{}, 1),
		stored: Empty(), target: Empty(), cursors: map[string]string{},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.current.Store(Empty())
	d.closing, d.close = context.WithCancel(context.Background())
	return d
}

// Snapshot is the directory as published last.
func (d *Directory) Snapshot() *Snapshot { return d.current.Load() }

// Cursors says where sources go on reading, after all changes that were applied here, stored or not.
func (d *Directory) Cursors() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.cursors)
}

// Close ends the storing of what waits and returns when nothing of it runs any more.
func (d *Directory) Close() {
	d.close()
	d.writers.Wait()
}

// Load reads the directory from the store and publishes it; everybody is touched. It comes before Apply.
func (d *Directory) Load(ctx context.Context) error { return d.reload(ctx, true) }

func (d *Directory) reload(ctx context.Context, first bool) error {
	select {
	case d.io <- struct{}{}:
		defer func() { <-d.io }()
	case <-ctx.Done():
		return fmt.Errorf("load the directory: %w", ctx.Err())
	}
	all, cursors, asOf, seq, err := d.rows.LoadDirectory(ctx)
	if err != nil {
		return fmt.Errorf("load the directory: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all.Reset, all.AsOf = 0, asOf // not a reset: rows may hold memberships whose user is yet to be read
	d.stored, _ = Empty().With(all)
	d.target = d.stored
	d.cursors = maps.Clone(cursors)
	if d.cursors == nil {
		d.cursors = map[string]string{}
	}
	for _, p := range d.waiting {
		d.target, _ = d.target.With(p.effect)
		maps.Copy(d.cursors, p.cursors)
	}
	d.seq, d.loaded = seq, true
	d.show(d.allowed(), first) // what is published may be younger: the age is not stored each time
	return nil
}

// allowed is what may be published now: what is stored, less everything that waiting changes take away.
func (d *Directory) allowed() *Snapshot {
	s := d.stored
	for _, p := range d.waiting {
		s, _ = s.With(taking(s, p.effect))
	}
	copied := *s // so that its age can be set
	return &copied
}

// show publishes a snapshot, whose age never goes back; all touches everybody. When nothing is new it does nothing.
// What is published is made from what was published before, so that whoever is not touched keeps their record.
func (d *Directory) show(next *Snapshot, all bool) {
	current := d.Snapshot()
	if next.asOf.Before(current.asOf) {
		next.asOf = current.asOf
	}
	touched := Touched{All: true}
	if !all {
		change := difference(current, next)
		if change.empty() && next.asOf.Equal(current.asOf) {
			return
		}
		if change.size() <= askAtMost {
			asOf := next.asOf
			next, touched = current.With(change)
			next.asOf = asOf
		}
	}
	d.current.Store(next)
	d.publish(next, touched, d.seq)
}
