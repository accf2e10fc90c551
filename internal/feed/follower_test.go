package feed

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a feed that can fail.
type memory struct {
	mu      sync.Mutex
	entries []Entry
	err     error
}

func (m *memory) add(origin string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.entries = append(m.entries, Entry{Seq: Seq(len(m.entries) + 1), Origin: origin, Topic: Leases})
	}
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) FeedAfter(_ context.Context, after Seq, limit int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	rest := m.entries[min(int(after), len(m.entries)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (m *memory) FeedHead(context.Context) (Seq, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Seq(len(m.entries)), m.err
}

// run follows until the test ends.
func run(t *testing.T, c FollowerConfig, from Seq) *Follower {
	f := NewFollower(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx, from) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// TestOthersInOrder handles what others wrote, each once and in order, over several pages.
func TestOthersInOrder(t *testing.T) {
	var m memory
	m.add("old", 5)
	for range 300 {
		m.add("other", 1)
		m.add("self", 1)
	}
	var got []Seq
	f := run(t, FollowerConfig{Source: &m, Origin: "self", Poll: time.Millisecond, Handle: func(_ context.Context, e Entry) error {
		got = append(got, e.Seq)
		return nil
	}}, 5)
	eventually(t, "it does not come to the end", func() bool { return f.Seq() == 605 })
	if len(got) != 300 || got[0] != 6 || got[299] != 604 || !slices.IsSorted(got) {
		t.Errorf("%d entries: %v", len(got), got)
	}
	if lag, err := f.Lag(t.Context()); lag != 0 || err != nil {
		t.Errorf("lag %d, %v", lag, err)
	}
}

// TestFailingHandlerLosesNothing comes back to the entry that failed.
func TestFailingHandlerLosesNothing(t *testing.T) {
	var m memory
	m.add("other", 3)
	var got []Seq
	failures := 2
	f := run(t, FollowerConfig{Source: &m, Origin: "self", Poll: time.Millisecond, Handle: func(_ context.Context, e Entry) error {
		got = append(got, e.Seq)
		if e.Seq == 2 && failures > 0 {
			failures--
			return errors.New("not yet")
		}
		return nil
	}}, 0)
	eventually(t, "it does not come to the end", func() bool { return f.Seq() == 3 })
	if !slices.Equal(got, []Seq{1, 2, 2, 2, 3}) {
		t.Errorf("%v", got)
	}
}

// TestBehind grows while the source fails, and falls when it is back.
func TestBehind(t *testing.T) {
	var m memory
	if NewFollower(FollowerConfig{}).Behind() < time.Hour {
		t.Error("a follower that never looked says that it is not behind")
	}
	m.fail(errors.New("database down"))
	f := run(t, FollowerConfig{Source: &m, Poll: time.Millisecond, Handle: func(context.Context, Entry) error { return nil }}, 0)
	eventually(t, "it does not notice that it is behind", func() bool { return f.Behind() > 300*time.Millisecond && f.Behind() < time.Hour })
	m.fail(nil)
	f.Wake()
	eventually(t, "it does not catch up", func() bool { return f.Behind() < 300*time.Millisecond })
}

// TestWake does not wait for the poll.
func TestWake(t *testing.T) {
	var m memory
	handled := make(chan Seq, 1)
	f := run(t, FollowerConfig{Source: &m, Poll: time.Hour, Handle: func(_ context.Context, e Entry) error { handled <- e.Seq; return nil }}, 0)
	eventually(t, "it does not look at first", func() bool { return f.Behind() < time.Hour })
	m.add("other", 1)
	for deadline := time.After(20 * time.Second); ; {
		f.Wake()
		select {
		case seq := <-handled:
			if seq != 1 {
				t.Errorf("entry %d", seq)
			}
			return
		case <-deadline:
			t.Fatal("not woken")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
