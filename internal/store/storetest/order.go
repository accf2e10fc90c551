package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/store"
)

// Gate is a value for an event's detail that holds up the transaction which stores the event: rows and feed entry are
// written by then, and nothing is committed.
type Gate struct {
	reached chan struct{}
	release chan struct{}
	once    *sync.Once
}

// NewGate makes a closed gate.
func NewGate() Gate {
	return Gate{make(chan struct{}), make(chan struct{}), &sync.Once{}}
}

// MarshalJSON waits at the gate.
func (g Gate) MarshalJSON() ([]byte, error) {
	g.once.Do(func() { close(g.reached) })
	<-g.release
	return []byte(`"gate"`), nil
}

// Event is an event that is held up at the gate.
func (g Gate) Event() audit.Event {
	return audit.Event{Action: "test", Outcome: audit.Done, Detail: map[string]any{"gate": g}}
}

// Reached returns when a transaction waits at the gate.
func (g Gate) Reached(t testing.TB) {
	t.Helper()
	select {
	case <-g.reached:
	case <-time.After(20 * time.Second):
		t.Fatal("no transaction came to the gate")
	}
}

// Release opens the gate.
func (g Gate) Release() { close(g.release) }

type outcome struct {
	seq feed.Seq
	err error
}

func later(do func() (feed.Seq, error)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		seq, err := do()
		done <- outcome{seq, err}
	}()
	return done
}

func await(t *testing.T, done <-chan outcome) feed.Seq {
	t.Helper()
	select {
	case o := <-done:
		if o.err != nil {
			t.Fatal(o.err)
		}
		return o.seq
	case <-time.After(30 * time.Second):
		t.Fatal("the change did not end")
		return 0
	}
}

// secondWriterWaits holds the first writer's transaction open after it has taken its number, lets a second process
// write, and reads as a follower does meanwhile. Without the lock on the head the second would commit number 2, the
// follower would take note of 2, and 1 would come after it.
func secondWriterWaits(t *testing.T, db Database) {
	ctx := t.Context()
	one, two := db.Open(t, "one"), db.Open(t, "two")
	gate := NewGate()
	first := later(func() (feed.Seq, error) { return one.Announce(ctx, entry(feed.Leases, "first"), gate.Event()) })
	gate.Reached(t)
	second := later(func() (feed.Seq, error) { return two.Announce(ctx, entry(feed.Leases, "second")) })
	mustWait(t, db, second, "feed_head")
	if entries, err := two.FeedAfter(ctx, 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("in between a follower reads %v, %v", entries, err)
	}
	gate.Release()
	if a, b := await(t, first), await(t, second); a != 1 || b != 2 {
		t.Errorf("numbers %d and %d", a, b)
	}
	entries, err := two.FeedAfter(ctx, 0, 10)
	if err != nil || len(entries) != 2 || entries[0].Keys[0] != "first" || entries[1].Keys[0] != "second" {
		t.Errorf("afterwards a follower reads %v, %v", entries, err)
	}
}

// mustWait shows that a change waits for another: by PostgreSQL's own word; by its not ending, where nobody says.
func mustWait(t *testing.T, db Database, done <-chan outcome, row string) {
	t.Helper()
	if db.Config.PostgreSQL != "" {
		raw := db.Raw(t)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			var query string
			err := raw.QueryRow(`SELECT COALESCE(MAX(query), '') FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).Scan(&query)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(query, row) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the second writer does not wait for " + row)
			}
		}
	}
	select {
	case o := <-done:
		t.Fatalf("the second writer did not wait: %+v", o)
	case <-time.After(300 * time.Millisecond):
	}
}

// readerInBetween runs a real follower while two processes write; one of its reads is forced between the first
// writer's number and its commit.
func readerInBetween(t *testing.T, db Database) {
	ctx, cancel := context.WithCancel(t.Context())
	one, two, reader := db.Open(t, "one"), db.Open(t, "two"), db.Open(t, "reader")
	source := &watchedSource{Store: reader, read: make(chan struct{}, 1)}
	handled := make(chan feed.Entry, 1000)
	f := feed.NewFollower(feed.FollowerConfig{Source: source, Origin: "reader", Poll: time.Millisecond,
		Handle: func(_ context.Context, e feed.Entry) error { handled <- e; return nil }})
	var running sync.WaitGroup
	running.Go(func() { _ = f.Run(ctx, 0) })
	defer running.Wait()
	defer cancel()
	const rounds = 20
	var writing sync.WaitGroup
	for range rounds {
		gate := NewGate()
		first := later(func() (feed.Seq, error) { return one.Announce(ctx, entry(feed.Leases), gate.Event()) })
		gate.Reached(t)
		writing.Go(func() {
			if _, err := two.Announce(ctx, entry(feed.Leases)); err != nil {
				t.Error(err)
			}
		})
		source.awaitRead(t)
		gate.Release()
		await(t, first)
	}
	writing.Wait()
	for want := feed.Seq(1); want <= 2*rounds; want++ {
		select {
		case e := <-handled:
			if e.Seq != want {
				t.Fatalf("entry %d where %d was next", e.Seq, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("entry %d was lost", want)
		}
	}
	if lag, err := f.Lag(ctx); lag != 0 || err != nil {
		t.Errorf("lag %d, %v", lag, err)
	}
}

// watchedSource tells when a read of the feed that began after being asked for has ended.
type watchedSource struct {
	*store.Store
	read chan struct{}
}

func (s *watchedSource) FeedAfter(ctx context.Context, after feed.Seq, limit int) ([]feed.Entry, error) {
	entries, err := s.Store.FeedAfter(ctx, after, limit)
	select {
	case s.read <- struct{}{}:
	default:
	}
	return entries, err
}

func (s *watchedSource) awaitRead(t *testing.T) {
	t.Helper()
	for range 3 { // one may have been waiting, one may have been under way
		select {
		case <-s.read:
		case <-time.After(20 * time.Second):
			t.Fatal("the follower does not read")
		}
	}
}

// directoryDoesNotHoldUpOthers holds up a directory writer before it announces: where rows can be locked one by one,
// a revocation goes past it. (SQLite has one writer.)
func directoryDoesNotHoldUpOthers(t *testing.T, db Database) {
	ctx := t.Context()
	one, two := db.Open(t, "one"), db.Open(t, "two")
	if db.Config.SQLite != "" {
		// What remains to be shown is that both get through.
		first := later(func() (feed.Seq, error) {
			return one.SaveDirectory(ctx, directory.Change{Reset: directory.Everything}, entry(feed.Directory))
		})
		second := later(func() (feed.Seq, error) { return two.Announce(ctx, entry(feed.Leases)) })
		if a, b := await(t, first), await(t, second); a+b != 3 {
			t.Errorf("numbers %d and %d", a, b)
		}
		return
	}
	raw, err := db.Raw(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Rollback()
	if _, err := raw.Exec(`LOCK TABLE directory_sets IN EXCLUSIVE MODE`); err != nil { // the directory writer stands still here
		t.Fatal(err)
	}
	change := directory.Change{Reset: directory.Everything, Members: []directory.Membership{{Group: groupID(1), Member: directory.Member{User: userID(1)}}}}
	first := later(func() (feed.Seq, error) { return one.SaveDirectory(ctx, change, entry(feed.Directory)) })
	if seq := await(t, later(func() (feed.Seq, error) { return two.Announce(ctx, entry(feed.Leases)) })); seq != 1 {
		t.Errorf("number %d", seq)
	}
	if err := raw.Rollback(); err != nil {
		t.Fatal(err)
	}
	if seq := await(t, first); seq != 2 {
		t.Errorf("number %d", seq)
	}
}

// failedChangeLeavesNothing shows that rows, entry and event stand or fall together, and that the number is free again.
func failedChangeLeavesNothing(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	change := directory.Change{Users: []directory.User{{ID: userID(1)}}, Cursors: map[string]string{"users": "advanced"}}
	unwritable := audit.Event{Action: "test", Detail: map[string]any{"channel": make(chan int)}}
	if _, err := s.SaveDirectory(ctx, change, entry(feed.Directory), audit.Event{Action: "fine"}, unwritable); err == nil {
		t.Fatal("an unwritable event was stored")
	}
	got, cursors, _, seq, err := s.LoadDirectory(ctx)
	if err != nil || len(got.Users) != 0 || len(cursors) != 0 || seq != 0 {
		t.Errorf("left behind: %+v, %v, number %d, %v", got, cursors, seq, err)
	}
	if pending, err := s.Leaves(ctx, -1, 10); err != nil || len(pending) != 0 {
		t.Errorf("left behind: %v, %v", pending, err)
	}
	if seq, err := s.SaveDirectory(ctx, change, entry(feed.Directory)); seq != 1 || err != nil {
		t.Errorf("number %d, %v", seq, err)
	}
}

// feedPages reads the feed in pieces.
func feedPages(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	for n := range 5 {
		seq, err := s.Announce(ctx, entry(feed.Leases, "l-\x00\u20ac", "l-2"))
		if err != nil || seq != feed.Seq(n+1) {
			t.Fatalf("number %d, %v", seq, err)
		}
	}
	if _, err := s.Announce(ctx, feed.Entry{}); err == nil {
		t.Error("an entry without topic was taken")
	}
	entries, err := s.FeedAfter(ctx, 2, 2)
	if err != nil || len(entries) != 2 || entries[0].Seq != 3 || entries[1].Seq != 4 {
		t.Fatalf("%v, %v", entries, err)
	}
	e := entries[0]
	if e.Origin != "one" || e.Topic != feed.Leases || len(e.Keys) != 2 || e.Keys[0] != "l-\x00\u20ac" || time.Since(e.At).Abs() > time.Hour {
		t.Errorf("%+v", e)
	}
	if head, err := s.FeedHead(ctx); head != 5 || err != nil {
		t.Errorf("head %d, %v", head, err)
	}
}
