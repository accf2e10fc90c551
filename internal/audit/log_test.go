package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// TestWayIn follows events from Durable and Later to reading, by the real loop.
func TestWayIn(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		s, k := db.Open(t, "one"), newKey(t)
		l := newLog(s, k, "one")
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		defer running.Wait()
		defer stop()

		shown := make(chan audit.Event, 100)
		running.Go(func() {
			_ = l.Tail(ctx, -1, func(e audit.Event) error { shown <- e; return nil })
		})
		for n := range 3 {
			if err := l.Durable(ctx, event(n)); err != nil {
				t.Fatal(err)
			}
		}
		l.Later(event(3))
		for n := range 4 {
			select {
			case e := <-shown:
				if e.Seq != int64(n) || number(e) != fmt.Sprint(n) || e.User.Name != "Ada" || time.Since(e.Time).Abs() > time.Hour {
					t.Errorf("event %d is %v", n, e)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("an event is not shown")
			}
		}
		l.Later(event(4))
		stop()
		running.Wait()
		if got, err := l.Events(t.Context(), 2, 10); err != nil || len(got) != 2 || got[1].Seq != 4 {
			t.Errorf("after the last flush: %v, %v", got, err)
		}
		if term, err := s.AuditTerm(t.Context()); err != nil || term.Holder != "" {
			t.Errorf("the lead was not given up: %+v, %v", term, err)
		}
		found, err := l.Search(t.Context(), audit.Filter{Person: "ada", Action: "repo:write", Workspace: "w-1", Since: time.Now().Add(-time.Hour), Limit: 2})
		if err != nil || len(found.Events) != 2 || found.Events[0].Seq != 4 || found.Lag != 0 || found.Size != 5 {
			t.Errorf("found %v, %v", found, err)
		}
		var lines bytes.Buffer
		if err := audit.Export(t.Context(), s, 0, &lines); err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
			var e audit.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq != int64(n) {
				t.Errorf("line %d: %s, %v", n, line, err)
			}
		}
	})
}

// TestTransactionsEvents takes an event into the log that came with a change.
func TestTransactionsEvents(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		s, k := db.Open(t, "one"), newKey(t)
		gate := storetest.NewGate()
		gate.Release()
		e := gate.Event()
		e.Resource, e.Reasons = "https://git.example.test/a\x00\xff<b>", []string{"group", "role"}
		if err := s.InsertRecords(t.Context(), storetest.Records(t, e)); err != nil {
			t.Fatal(err)
		}
		l := newLog(s, k, "one")
		l.Lead(t.Context())
		got, err := l.Events(t.Context(), -1, 10)
		if err != nil || len(got) != 1 || got[0].Resource != "https://git.example.test/a\x00\uFFFD<b>" || got[0].Detail["gate"] != "gate" {
			t.Errorf("%v, %v", got, err)
		}
		if r := verify(t, s, k, nil); !r.OK() || r.Size != 1 {
			t.Error(r)
		}
	})
}

// TestOneLeads lets a second process wait, take over from a dead one, and fence the one that comes back.
func TestOneLeads(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		ctx, k := t.Context(), newKey(t)
		s, s2 := db.Open(t, "one"), db.Open(t, "two")
		one, two := newLog(s, k, "one"), newLog(s2, k, "two")
		fill(t, one, 3)
		if two.Lead(ctx); two.Status().Leading {
			t.Error("a second one leads though nothing is late")
		}
		if err := two.Durable(ctx, event(3)); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); !two.Status().Leading; time.Sleep(50 * time.Millisecond) {
			if two.Lead(ctx); time.Now().After(deadline) {
				t.Fatal("nobody took over")
			}
		}
		if err := one.Durable(ctx, event(4)); err != nil {
			t.Fatal(err)
		}
		if one.Lead(ctx); one.Status().Leading {
			t.Error("the old leader still leads")
		}
		two.Lead(ctx)
		if r := verify(t, s, k, nil); !r.OK() || r.Size != 5 {
			t.Error(r)
		}
	})
}

// faulty is a store that fails as told.
type faulty struct {
	*store.Store
	insert func(context.Context, []audit.Record) error
	append func(context.Context, audit.Batch) error
}

func (f *faulty) InsertRecords(ctx context.Context, e []audit.Record) error {
	if f.insert != nil {
		return f.insert(ctx, e)
	}
	return f.Store.InsertRecords(ctx, e)
}

func (f *faulty) AppendTree(ctx context.Context, b audit.Batch) error {
	if f.append != nil {
		return f.append(ctx, b)
	}
	return f.Store.AppendTree(ctx, b)
}

// TestAppendFails covers both ends of a failed transaction: lost, and kept though the answer was lost.
func TestAppendFails(t *testing.T) {
	for name, kept := range map[string]bool{"lost": false, "kept": true} {
		t.Run(name, func(t *testing.T) {
			ctx, k := t.Context(), newKey(t)
			rows := &faulty{Store: storetest.SQLite(t).Open(t, "one")}
			l := newLog(rows, k, "one")
			fill(t, l, 2)
			if err := l.Durable(ctx, event(2)); err != nil {
				t.Fatal(err)
			}
			rows.append = func(ctx context.Context, b audit.Batch) error {
				if kept {
					if err := rows.Store.AppendTree(ctx, b); err != nil {
						return err
					}
				}
				return errors.New("connection lost")
			}
			if l.Lead(ctx); !strings.Contains(l.Status().Problem, "connection lost") {
				t.Errorf("%+v", l.Status())
			}
			rows.append = nil
			if err := l.Durable(ctx, event(3)); err != nil {
				t.Fatal(err)
			}
			l.Lead(ctx)
			l.Lead(ctx)
			got, err := l.Events(ctx, -1, 10)
			if err != nil || len(got) != 4 {
				t.Fatalf("%v, %v", got, err)
			}
			for n, e := range got {
				if e.Seq != int64(n) || number(e) != fmt.Sprint(n) {
					t.Errorf("event %d is %v", n, e)
				}
			}
			if s := l.Status(); s.Problem != "" {
				t.Errorf("%+v", s)
			}
			if r := verify(t, rows, k, nil); !r.OK() || r.Size != 4 {
				t.Error(r)
			}
		})
	}
}

// TestDurableFails shows what a caller gets while the database takes nothing.
func TestDurableFails(t *testing.T) {
	rows := &faulty{Store: storetest.SQLite(t).Open(t, "one"), insert: func(context.Context, []audit.Record) error { return errors.New("disk full") }}
	l := newLog(rows, newKey(t), "one")
	if err := l.Durable(t.Context(), event(1)); problem.KindOf(err) != problem.Unavailable || strings.Contains(problem.Message(err), "disk") {
		t.Errorf("%v", err)
	}
	// An event that cannot be written fails alone.
	rows.insert = nil
	bad := audit.Event{Detail: map[string]any{"channel": make(chan int)}}
	if err := l.Durable(t.Context(), bad); err == nil {
		t.Error("taken")
	}
	if err := l.Durable(t.Context(), audit.Event{Resource: strings.Repeat("x", 1<<20)}); problem.KindOf(err) != problem.TooLarge {
		t.Errorf("%v", err)
	}
	// A caller that gives up is let go, though the transaction goes on.
	held := make(chan struct{})
	rows.insert = func(context.Context, []audit.Record) error { <-held; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Durable(ctx, event(1)); problem.KindOf(err) != problem.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(held)
}

// TestGroupCommit lets callers gather while a transaction is under way: they share the next one.
func TestGroupCommit(t *testing.T) {
	rows := &faulty{Store: storetest.SQLite(t).Open(t, "one")}
	entered, held := make(chan int, 10), make(chan struct{})
	rows.insert = func(ctx context.Context, e []audit.Record) error {
		entered <- len(e)
		<-held
		return rows.Store.InsertRecords(ctx, e)
	}
	l := newLog(rows, newKey(t), "one")
	var callers sync.WaitGroup
	call := func(n int) {
		callers.Go(func() {
			if err := l.Durable(context.Background(), event(n)); err != nil {
				t.Error(err)
			}
		})
	}
	call(0)
	if n := <-entered; n != 1 {
		t.Fatalf("%d events in the first transaction", n)
	}
	for n := range 32 {
		call(n + 1)
	}
	for deadline := time.Now().Add(20 * time.Second); l.Waiting() < 32; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the callers do not gather")
		}
	}
	close(held)
	callers.Wait()
	if n := <-entered; n != 32 {
		t.Errorf("%d events in the second transaction", n)
	}
	if len(entered) != 0 {
		t.Error("there was a third transaction")
	}
}

// TestLaterOverflows fills the queue while the database takes nothing.
func TestLaterOverflows(t *testing.T) {
	ctx, k := t.Context(), newKey(t)
	rows := &faulty{Store: storetest.SQLite(t).Open(t, "one"), insert: func(context.Context, []audit.Record) error { return errors.New("disk full") }}
	l := newLog(rows, k, "one")
	for n := range audit.MaxLater + 10 {
		l.Later(event(n))
	}
	l.Flush(ctx)
	l.Later(event(-1))
	if s := l.Status(); s.Dropped != 11 || !strings.Contains(s.Problem, "disk full") {
		t.Errorf("%+v", s)
	}
	rows.insert = nil
	l.Flush(ctx)
	l.Lead(ctx)
	all, err := l.Events(ctx, -1, 2*audit.MaxLater)
	if err != nil || len(all) != audit.MaxLater+1 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	if last := all[len(all)-1]; last.Action != "audit:dropped" || fmt.Sprint(last.Detail["events"]) != "11" {
		t.Errorf("%v", last)
	}
	if r := verify(t, rows, k, nil); !r.OK() {
		t.Error(r)
	}
}

// TestCopies appends every checkpoint to files, catches up after a crash, and mends a line that one left open.
func TestCopies(t *testing.T) {
	ctx, k := t.Context(), newKey(t)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "copy"), filepath.Join(dir, "absent", "copy")
	s := storetest.SQLite(t).Open(t, "one")
	l := newLog(s, k, "one", good, bad)
	for n := range 3 {
		if err := l.Durable(ctx, event(n)); err != nil {
			t.Fatal(err)
		}
		l.Lead(ctx)
	}
	if !strings.Contains(l.Status().Problem, "absent") {
		t.Errorf("%+v", l.Status())
	}
	if err := os.Mkdir(filepath.Dir(bad), 0o700); err != nil {
		t.Fatal(err)
	}
	if l.Lead(ctx); l.Status().Problem != "" {
		t.Errorf("%+v", l.Status())
	}
	for path, checkpoints := range map[string]int{good: 3, bad: 1} {
		r := verify(t, s, k, read(t, path))
		if !r.OK() || r.Copied != checkpoints || r.Complete != 3 || r.Conclusion() != "consistent and complete" {
			t.Errorf("%s: %+v", path, r)
		}
	}
	// A crash after the commit leaves the copy behind; one during the write leaves a part.
	text := read(t, good)
	if err := os.WriteFile(good, text[:len(text)-30], 0o600); err != nil {
		t.Fatal(err)
	}
	newLog(s, k, "one", good).Lead(ctx)
	if r := verify(t, s, k, read(t, good)); !r.OK() || r.Copied != 3 || r.Incomplete != 1 || r.Complete != 3 {
		t.Errorf("%+v", r)
	}
	size := len(read(t, good))
	newLog(s, k, "one", good).Lead(ctx)
	if len(read(t, good)) != size {
		t.Error("the same checkpoint was copied twice")
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BenchmarkAuditDurable is how many durable events a second 32 callers at once get.
func BenchmarkAuditDurable(b *testing.B) {
	for name, fresh := range map[string]func(testing.TB) storetest.Database{"SQLite": storetest.SQLite, "PostgreSQL": storetest.OnPostgreSQL} {
		b.Run(name, func(b *testing.B) {
			s := fresh(b).Open(b, "one")
			l := newLog(s, newKey(b), "one")
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { _ = l.Run(ctx) })
			work := make(chan int)
			var callers sync.WaitGroup
			b.ResetTimer()
			for range 32 {
				callers.Go(func() {
					for n := range work {
						if err := l.Durable(ctx, event(n)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for n := range b.N {
				work <- n
			}
			close(work)
			callers.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			stop()
			running.Wait()
		})
	}
}
