package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a working store of rows with a hook for faults.
type memory struct {
	mu      sync.Mutex
	rows    *model
	cursors map[string]string
	asOf    time.Time
	seq     feed.Seq
	saves   int
	events  []audit.Event
	entries []feed.Entry
	// fault is asked before each save: lost means that nothing was written, kept that it was and the answer got lost.
	fault func(Change) (lost, kept error)
}

func newMemory() *memory { return &memory{rows: newModel(), cursors: map[string]string{}} }

func (s *memory) LoadDirectory(context.Context) (Change, map[string]string, time.Time, feed.Seq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Change{Reset: Everything, Users: slices.Collect(maps.Values(s.rows.users)), Groups: slices.Collect(maps.Values(s.rows.groups)),
		Members: slices.Collect(maps.Keys(s.rows.members))}
	for u := range s.rows.blocked {
		c.Blocks = append(c.Blocks, Block{User: u})
	}
	return c, maps.Clone(s.cursors), s.asOf, s.seq, nil
}

func (s *memory) SaveDirectory(_ context.Context, c Change, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Reset != 0 {
		return 0, errors.New("a reset reached the store")
	}
	var lost, kept error
	if s.fault != nil {
		lost, kept = s.fault(c)
	}
	if lost != nil {
		return 0, lost
	}
	s.saves++
	s.rows.apply(c)
	maps.Copy(s.cursors, c.Cursors)
	if !c.AsOf.IsZero() {
		s.asOf = c.AsOf
	}
	if kept != nil {
		return 0, kept
	}
	s.events = append(s.events, events...)
	if e.Topic != "" {
		s.seq++
		s.entries = append(s.entries, e)
	}
	return s.seq, nil
}

func (s *memory) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(Change) (error, error) { return err, nil }
	if err == nil {
		s.fault = nil
	}
}

type publication struct {
	snapshot *Snapshot
	touched  Touched
	seq      feed.Seq
}

// loaded is a Directory over rows, and what it published so far.
func loaded(t *testing.T, rows *memory) (*Directory, func() []publication) {
	t.Helper()
	var mu sync.Mutex
	var published []publication
	d := New(Config{Rows: rows, Publish: func(s *Snapshot, touched Touched, seq feed.Seq) {
		mu.Lock()
		defer mu.Unlock()
		published = append(published, publication{s, touched, seq})
	}})
	t.Cleanup(d.Close)
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, func() []publication {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(published)
	}
}

func membership(g, u int, removed bool) Membership {
	return Membership{Group: testGroup(g), Member: Member{User: testUser(u)}, Removed: removed}
}

func enabled(i int) User { return User{ID: testUser(i), Name: fmt.Sprint("User ", i), Enabled: true} }

var team = Change{
	Reset: Everything, Users: []User{enabled(1), enabled(2)},
	Groups:  []Group{{ID: testGroup(1), Name: "devs", Security: true, Assigned: true}},
	Members: []Membership{membership(1, 1, false)},
	Cursors: map[string]string{"users": "1"},
}

// eventually waits, generously, for what a goroutine is about to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come true", what)
		}
	}
}

// TestRemovalPublishedWhileStoreFails: what takes access is in force at once, what gives waits for the store.
func TestRemovalPublishedWhileStoreFails(t *testing.T) {
	rows := newMemory()
	d, published := loaded(t, rows)
	if err := d.Apply(t.Context(), team, "test"); err != nil {
		t.Fatal(err)
	}
	rows.failWith(errors.New("disk full"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	mixed := Change{Members: []Membership{membership(1, 1, true), membership(1, 2, false)}, Cursors: map[string]string{"users": "2"}}
	if err := d.Apply(ctx, mixed, "test"); !errors.Is(err, ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Apply while the store fails: %v, want ErrPending", err)
	}
	repeat, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := d.Apply(repeat, mixed, "test"); !errors.Is(err, ErrPending) {
		t.Errorf("the same change said again while it is not stored: %v, want ErrPending", err)
	}
	s := d.Snapshot()
	if s.InGroup(testUser(1), testGroup(1)) {
		t.Error("the removed member still has the group")
	}
	if s.InGroup(testUser(2), testGroup(1)) {
		t.Error("the new member has the group although it is not stored")
	}
	last := published()[len(published())-1]
	if last.snapshot != s || !slices.Equal(last.touched.Users, []identity.UserID{testUser(1)}) {
		t.Errorf("published touching %v, want only the removed member", last.touched)
	}
	// A second removal is not held up by the first one's wait for the store.
	ctx2, cancel2 := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel2()
	off := enabled(2)
	off.Enabled = false
	if err := d.Apply(ctx2, Change{Users: []User{off}}, "test"); !errors.Is(err, ErrPending) {
		t.Fatalf("second Apply: %v", err)
	}
	if u, _ := d.Snapshot().User(testUser(2)); u.Enabled {
		t.Error("the disabled user is still enabled")
	}
	if got, _, _, _, _ := rows.LoadDirectory(t.Context()); len(got.Members) != 1 || rows.cursors["users"] != "1" {
		t.Error("rows or cursors advanced although the store failed")
	}
	rows.failWith(nil)
	eventually(t, "the grant after the store came back", func() bool { return d.Snapshot().InGroup(testUser(2), testGroup(1)) })
	eventually(t, "the cursor", func() bool { rows.mu.Lock(); defer rows.mu.Unlock(); return rows.cursors["users"] == "2" })
}

// TestPublishedNeverAheadOfStoreInGiving plays random changes against a store that fails in both ways, and holds each
// publication to: nobody has what is not stored; after all is stored, memory and store agree with the model.
func TestPublishedNeverAheadOfStoreInGiving(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { t.Parallel(); playAgainstFailingStore(t, seed) })
	}
}

func playAgainstFailingStore(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	rows := newMemory()
	dice := rand.New(rand.NewPCG(seed, 4))
	rows.fault = func(Change) (error, error) {
		switch dice.IntN(8) {
		case 0:
			return errors.New("lost"), nil
		case 1:
			return nil, errors.New("kept")
		}
		return nil, nil
	}
	bad := make(chan string, 1)
	d := New(Config{Rows: rows, Publish: func(s *Snapshot, _ Touched, _ feed.Seq) {
		rows.mu.Lock()
		defer rows.mu.Unlock()
		for i := range 12 {
			u := testUser(i)
			far := rows.rows.distances(u)
			stored, _ := rows.rows.record(u)
			if now, known := s.User(u); known && now.Active() && !stored.Active() {
				select {
				case bad <- fmt.Sprintf("seed %d: %v is active, which is not stored", seed, u):
				default:
				}
			}
			for _, g := range s.Groups(u) {
				if far[g] == 0 {
					select {
					case bad <- fmt.Sprintf("seed %d: %v has %v, which is not stored", seed, u, g):
					default:
					}
				}
			}
		}
	}})
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := newModel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	for i := range 40 {
		c := randomChange(r, i%15 == 0)
		m.apply(c)
		if r.IntN(3) == 0 { // do not wait for the store
			now, stop := context.WithCancel(ctx)
			stop()
			_ = d.Apply(now, c, "test")
		} else if err := d.Apply(ctx, c, "test"); err != nil {
			t.Fatal(err)
		}
	}
	last := Change{Users: []User{{ID: testUser(100), Name: "last", Enabled: true}}}
	m.apply(last)
	if err := d.Apply(ctx, last, "test"); err != nil {
		t.Fatal(err)
	}
	cancel()
	s := d.Snapshot()
	check(t, s, s, m, m, Touched{})
	other, _ := loaded(t, rows)
	if diff := difference(s, other.Snapshot()); !diff.empty() {
		t.Fatalf("seed %d: the store has something else: %+v", seed, diff)
	}
	d.Close()
	select {
	case msg := <-bad:
		t.Fatal(msg)
	default:
	}
}

// TestAgeAlone: an age is published without touching anybody and stored rarely, without a feed entry.
func TestAgeAlone(t *testing.T) {
	rows := newMemory()
	d, published := loaded(t, rows)
	c := team
	c.AsOf = time.Unix(1000, 0)
	if err := d.Apply(t.Context(), c, "test"); err != nil {
		t.Fatal(err)
	}
	saves, entries := rows.saves, len(rows.entries)
	groups := d.Snapshot().Groups(testUser(1))
	for i := range 5 {
		at := time.Unix(int64(1001+i), 0)
		if err := d.Apply(t.Context(), Change{AsOf: at, Cursors: map[string]string{"users": at.String()}}, "sweep"); err != nil {
			t.Fatal(err)
		}
		last := published()[len(published())-1]
		if !d.Snapshot().AsOf().Equal(at) || !last.snapshot.AsOf().Equal(at) || !last.touched.None() {
			t.Fatalf("age %v published as %v, touching %v", at, last.snapshot.AsOf(), last.touched)
		}
	}
	if &groups[0] != &d.Snapshot().Groups(testUser(1))[0] {
		t.Error("closures were computed again although only the age changed")
	}
	if rows.saves != saves || len(rows.entries) != entries {
		t.Errorf("%d saves and %d entries for ages alone", rows.saves-saves, len(rows.entries)-entries)
	}
	if err := d.Apply(t.Context(), Change{Members: []Membership{membership(1, 2, false)}}, "test"); err != nil {
		t.Fatal(err)
	}
	if want := time.Unix(1005, 0).String(); rows.cursors["users"] != want || len(rows.entries) != entries+1 {
		t.Errorf("the next change stored cursor %q, want the last one, %q", rows.cursors["users"], want)
	}
}

// TestFollow: another process's change is taken over, and what waits here stays in force.
func TestFollow(t *testing.T) {
	rows := newMemory()
	leader, _ := loaded(t, rows)
	if err := leader.Apply(t.Context(), team, "test"); err != nil {
		t.Fatal(err)
	}
	follower, published := loaded(t, rows)
	if err := leader.Apply(t.Context(), Change{Members: []Membership{membership(1, 1, true), membership(1, 2, false)}}, "test"); err != nil {
		t.Fatal(err)
	}
	if err := follower.Follow(t.Context(), feed.Entry{Seq: 2, Topic: feed.Directory}); err != nil {
		t.Fatal(err)
	}
	s := follower.Snapshot()
	if s.InGroup(testUser(1), testGroup(1)) || !s.InGroup(testUser(2), testGroup(1)) {
		t.Error("the follower does not have the leader's change")
	}
	last := published()[len(published())-1]
	if len(last.touched.Users) != 2 || last.touched.All || last.seq != 2 {
		t.Errorf("follower published %+v at %d, want both members at 2", last.touched, last.seq)
	}
}

func TestEvents(t *testing.T) {
	rows := newMemory()
	d, _ := loaded(t, rows)
	if err := d.Apply(t.Context(), team, "first"); err != nil {
		t.Fatal(err)
	}
	if len(rows.events) != 1 || rows.events[0].Detail["users"] != 2 {
		t.Fatalf("first read told as %v, want one event with numbers", rows.events)
	}
	rows.events = nil
	off := enabled(2)
	off.Enabled = false
	if err := d.Apply(t.Context(), Change{Users: []User{off}, Members: []Membership{membership(1, 1, true)}}, "Graph"); err != nil {
		t.Fatal(err)
	}
	if len(rows.events) != 2 {
		t.Fatalf("events %v, want one for the person and one for the group", rows.events)
	}
	person, group := rows.events[0], rows.events[1]
	if person.User.Object != "u2" || person.User.Name != "User 2" || person.Detail["change"] != "disabled" || person.Reasons[0] != "Graph" {
		t.Errorf("person's event: %v", person)
	}
	if removed := group.Detail["removed"].([]string); group.Detail["name"] != "devs" || !slices.Equal(removed, []string{"User 1"}) {
		t.Errorf("group's event: %v", group)
	}
}

func TestApplyBeforeLoadIsRefused(t *testing.T) {
	d := New(Config{Rows: newMemory(), Publish: func(*Snapshot, Touched, feed.Seq) {}})
	defer d.Close()
	if err := d.Apply(t.Context(), team, "test"); !errors.Is(err, errNotLoaded) {
		t.Errorf("Apply before Load: %v", err)
	}
}
