package workspace_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

const payments = identity.ProjectID("p-aaaaaaaaaaaaaaaa")

// ahead is what a world's manager makes ahead, and what every start of it needs.
type ahead struct {
	mu     sync.Mutex
	orders []workspace.WarmOrder
	image  string // that is made ready ahead
	needs  string // that starts need
	denied error  // why a start is refused
	also   func(*workspace.Spec)
}

func (a *ahead) want(orders ...workspace.WarmOrder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.orders = orders
}

func (a *ahead) list() []workspace.WarmOrder {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.orders)
}

func (a *ahead) prepare(context.Context, workspace.WarmOrder) (workspace.Spec, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return workspace.Spec{Image: workspace.Image{Ref: a.image}}, nil
}

func (a *ahead) start() (workspace.Spec, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := workspace.Spec{Image: workspace.Image{Ref: a.needs}}
	if a.also != nil {
		a.also(&s)
	}
	return s, a.denied
}

func (a *ahead) set(image, needs string, denied error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.image, a.needs, a.denied = image, needs, denied
}

func small(n int) workspace.WarmOrder {
	return workspace.WarmOrder{Project: payments, Name: "payments", Class: "small", Count: n}
}

// warm waits until so many are ready, and nothing else runs of them, and returns their IDs.
func (w *world) warm(n int) (ids []identity.WorkspaceID) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var ready, making int
		for _, s := range w.m.Warm() {
			ready, making = ready+s.Ready, making+s.Making
		}
		rows, err := w.rows.LoadWarm(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if ready == n && making == 0 && len(rows) == n {
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			return ids
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("never %d: %+v, %+v", n, w.m.Warm(), rows)
		}
		w.m.LookAtWarm()
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *world) there() int {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	return len(w.f.runs)
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("never: " + what)
		}
	}
}

func TestWarmIsTakenAndRefilled(t *testing.T) {
	w := newWorld(t)
	w.ahead.want(small(1))
	first := w.warm(1)[0]
	if _, ok := w.m.Get(first); ok || len(w.m.List()) > 0 {
		t.Error("it is somebody's workspace")
	}
	row := w.create()
	if row.ID != first {
		t.Errorf("%s was made, and %s was ready", row.ID, first)
	}
	got := w.until(row.ID, workspace.Running)
	if got.Taken != "" || got.Owner.Object != "ada" || w.f.setups != 1 {
		t.Errorf("%+v, %d", got, w.f.setups)
	}
	next := w.warm(1)[0]
	if next == first {
		t.Error("it went back")
	}
	w.ahead.want(small(2)) // another count leaves those that are there
	both := w.warm(2)
	if !slices.Contains(both, next) {
		t.Errorf("%s went, and there are %s", next, both)
	}
	w.ahead.want(small(1))
	if one := w.warm(1)[0]; !slices.Contains(both, one) {
		t.Errorf("%s is there, and there were %s", one, both)
	}
	w.want(row.ID, workspace.WantDeleted)
	w.until(row.ID, "")
	w.ahead.want()
	w.warm(0)
	w.eventually("nothing is left", func() bool { return w.there() == 0 })
}

// Two people never get the same one, however close they are; a third makes their own.
func TestWarmWorkspacesAreTakenOnce(t *testing.T) {
	w := newWorld(t)
	w.ahead.want(small(2))
	ready := w.warm(2)
	w.ahead.want() // none after those
	var mu sync.Mutex
	var got []identity.WorkspaceID
	var all sync.WaitGroup
	for _, who := range []string{"ada", "bob", "cleo", "dan", "eve", "finn"} {
		all.Go(func() {
			row, err := w.order(who, "")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, row.ID)
		})
	}
	all.Wait()
	for _, id := range got {
		w.until(id, workspace.Running)
	}
	taken := 0
	for i, id := range got {
		if slices.Contains(got[:i], id) {
			t.Errorf("%s is two people's", id)
		}
		if slices.Contains(ready, id) {
			taken++
		}
	}
	if taken > 2 {
		t.Errorf("%d of 2 were taken", taken)
	}
}

// What was made ahead for one project, class or image is never used for another.
func TestWarmWorkspacesAreOfTheirProjectClassAndImage(t *testing.T) {
	w := newWorld(t)
	w.ahead.set("base@sha256:1", "base@sha256:1", nil)
	w.ahead.want(small(1))
	ready := w.warm(1)[0]
	other, err := w.m.Create(t.Context(), workspace.Order{Owner: identity.UserID{Tenant: "t", Object: "ada"}, Project: "p-bbbbbbbbbbbbbbbb", Repository: "https://git.example.test/other/api"})
	if err != nil || other.ID == ready {
		t.Error(other.ID, err)
	}
	large, err := w.order("ada", "large")
	if err != nil || large.ID == ready {
		t.Error(large.ID, err)
	}
	w.until(large.ID, workspace.Running) // what a start needs is read, and learnt of its repository, while it goes on
	// Another image is known when the start was prepared: nothing of what was made ahead is there then.
	w.ahead.set("base@sha256:1", "other@sha256:2", nil)
	w.f.mu.Lock()
	started := w.f.started
	w.f.mu.Unlock()
	row, err := w.order("bob", "")
	if err != nil || row.ID != ready {
		t.Fatal(row.ID, err)
	}
	w.until(row.ID, workspace.Running)
	w.f.mu.Lock()
	deleted := slices.Contains(w.f.deleted, ready)
	w.f.mu.Unlock()
	if !deleted || w.f.started == started {
		t.Errorf("deleted %v", deleted)
	}
	// Once known, the repository's next ones leave the pool alone.
	next := w.warm(1)[0]
	if row, err := w.order("cleo", ""); err != nil || row.ID == next {
		t.Error(row.ID, err)
	}
}

// Who may not start a workspace gets none that was made ahead either; what was taken for them goes.
func TestAttack18TheWarmWorkspaceOfARevokedPersonGoes(t *testing.T) {
	w := newWorld(t)
	w.ahead.want(small(1))
	ready := w.warm(1)[0]
	w.f.failing("ForWorkspace", problem.New(problem.Denied, "Your sign-in has ended."))
	if _, err := w.order("mallory", ""); problem.KindOf(err) != problem.Denied {
		t.Fatal(err)
	}
	w.f.failing("ForWorkspace", nil)
	w.eventually("another one is made", func() bool { return !slices.Contains(w.warm(1), ready) })
	// Revoked between the order and the start: it fails as one that is made cold does, and does not run.
	w.ahead.set("", "", problem.New(problem.Denied, "You may not read it."))
	ready = w.warm(1)[0]
	row, err := w.order("mallory", "")
	if err != nil || row.ID != ready {
		t.Fatal(row.ID, err)
	}
	if got := w.until(row.ID, workspace.Stopped); got.Message != "You may not read it." || w.f.setups > 0 {
		t.Errorf("%+v", got)
	}
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.f.runs[row.ID] {
		t.Error("it runs on")
	}
}

func TestWarmIsPutAsideForPeople(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 2}
	w.start()
	w.ahead.want(small(2))
	w.warm(2)
	w.ahead.set("", "other@sha256:2", nil) // so that none fits
	row, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.until(row.ID, workspace.Running)
	w.warm(1)
	second, err := w.order("bob", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.until(second.ID, workspace.Running)
	w.warm(0)
	if s := w.m.Warm(); len(s) != 1 || s[0].Ready > 0 {
		t.Errorf("%+v", s)
	}
	w.want(second.ID, workspace.WantStopped)
	w.until(second.ID, workspace.Stopped)
	w.warm(1) // and again when there is room
}

func TestWarmIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.ahead.want(small(1))
	first := w.warm(1)[0]
	changed, other := small(1), small(1)
	changed.Mark, other.Image = "another class, or another file", "base"
	w.ahead.want(changed)
	w.eventually("the project's file changed", func() bool { return !slices.Contains(w.warm(1), first) })
	second := w.warm(1)[0]
	w.ahead.set("base@sha256:2", "base@sha256:2", nil)
	w.pass(6 * time.Minute) // when the registry is asked again
	w.eventually("the image changed", func() bool { return !slices.Contains(w.warm(1), second) })
	// Somebody's start is the first to see a newer one: nobody else is given the old one either.
	w.ahead.want(changed, other)
	stale := w.warm(2)
	w.ahead.set("base@sha256:3", "base@sha256:3", nil)
	if got := w.until(w.started("ada").ID, workspace.Running); got.Warm || got.Cold != "the image base is another one by now" {
		t.Errorf("%+v", got.Details)
	}
	w.eventually("both are made anew", func() bool {
		return !slices.ContainsFunc(w.warm(2), func(id identity.WorkspaceID) bool { return slices.Contains(stale, id) })
	})
	w.ahead.want(changed)
	third := w.warm(1)[0]
	w.f.mu.Lock()
	w.f.runs[third] = false
	w.f.mu.Unlock()
	w.pass(time.Second)
	w.m.Look(t.Context())
	w.eventually("its processes ended", func() bool { return !slices.Contains(w.warm(1), third) })
}

// A server that dies leaves what it made ahead, and what it was giving to somebody: neither is orphaned, and nobody's first
// start goes on in what was not found to fit.
func TestWarmOverARestart(t *testing.T) {
	w := newWorld(t)
	w.ahead.want(small(2))
	ready := w.warm(2)
	w.f.failing("Delete", errors.New("the server dies"))
	w.end()
	w.f.failing("Delete", nil)
	if left, err := w.rows.LoadWarm(t.Context()); err != nil || len(left) != 2 {
		t.Fatal(left, err)
	}
	// As Create leaves it: the workspace is stored, its record as a warm one is not gone yet.
	theirs := workspace.Workspace{
		ID: ready[0], Owner: identity.UserID{Tenant: "t", Object: "ada"}, Project: payments, Repository: "https://git.example.test/payments/api", Name: "api",
		Desired: workspace.WantRunning, Phase: workspace.Preparing, Created: time.Now(), Changed: time.Now(), Details: workspace.Details{Taken: "another print"},
	}
	if _, err := w.rows.SaveWorkspace(t.Context(), theirs, feedOf(theirs.ID), audit.Event{Time: time.Now(), Action: "workspace:create"}); err != nil {
		t.Fatal(err)
	}
	w.start()
	if got := w.until(ready[0], workspace.Running); got.Taken != "" {
		t.Errorf("%+v", got)
	}
	for _, id := range w.warm(2) {
		if slices.Contains(ready, id) {
			t.Errorf("%s is there still", id)
		}
	}
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if !slices.Contains(w.f.deleted, ready[0]) || len(w.f.runs) != 3 {
		t.Errorf("%v, %v", w.f.deleted, w.f.runs)
	}
}

func feedOf(id identity.WorkspaceID) feed.Entry {
	return feed.Entry{Topic: feed.Workspace, Keys: []string{string(id)}}
}
