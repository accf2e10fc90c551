package workspace_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// A guest is told to go when a workspace waits that would have its room, and no more guests than have to.
func TestAGuestYields(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 3}
	w.start()
	told := make(chan identity.WorkspaceID, 2)
	leave := map[identity.WorkspaceID]func(){}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	for _, id := range []identity.WorkspaceID{"w-aaaaaaaaaaaaaaaa", "w-bbbbbbbbbbbbbbbb"} {
		var err error
		if leave[id], err = w.m.Room(ctx, id, workspace.Class{}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		parts.Go(func() {
			if w.m.Yield(ctx, id) == nil {
				told <- id
			}
		})
	}
	first := w.started("ada")
	w.until(first.ID, workspace.Running)
	select {
	case id := <-told:
		t.Errorf("%s is told to go where there is room", id)
	default:
	}
	second := w.started("ada")
	id := <-told
	select {
	case id := <-told:
		t.Errorf("%s is told to go, too", id)
	case <-time.After(50 * time.Millisecond):
	}
	leave[id]()
	w.until(second.ID, workspace.Running)
}

// A guest that waits on a machine that is always full gets its turn: after who began to wait before its time came, before who came
// later, and it keeps the room that it then has.
func TestAGuestThatHasWaitedLongEnough(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 1}
	w.start()
	const id identity.WorkspaceID = "w-aaaaaaaaaaaaaaaa"
	first := w.started("ada")
	w.until(first.ID, workspace.Running)
	before := w.started("ada")
	w.until(before.ID, workspace.Pending)
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	came, stands := make(chan func(), 1), w.now().Add(time.Hour)
	parts.Go(func() {
		if leave, err := w.m.Room(ctx, id, workspace.Class{}, stands); err == nil {
			came <- leave
		}
	})
	for deadline := time.Now().Add(30 * time.Second); w.m.Coming() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not wait")
		}
	}
	w.pass(2 * time.Hour)
	after := w.started("ada")
	w.until(after.ID, workspace.Pending)
	next := func(of workspace.Workspace) {
		t.Helper()
		w.want(of.ID, workspace.WantStopped)
		w.until(of.ID, workspace.Stopped)
	}
	next(first)
	w.until(before.ID, workspace.Running)
	select {
	case <-came:
		t.Error("it overtook who waited before its time came")
	default:
	}
	next(before)
	var leave func()
	select {
	case leave = <-came:
	case <-time.After(30 * time.Second):
		t.Fatal("who came later overtakes it")
	}
	asked, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	if w.m.Yield(asked, id) == nil {
		t.Error("it is to leave for who came later")
	}
	if row, _ := w.m.Get(after.ID); row.Phase != workspace.Pending {
		t.Errorf("there is room for one, and %s is %s", after.ID, row.Phase)
	}
	leave()
	w.until(after.ID, workspace.Running)
}
