package workspace_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.later)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later += d
}

func (w *world) warn(_ context.Context, _ workspace.Workspace, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warned = append(w.warned, text)
}

func (w *world) warnings() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.warned)
}

// classOf knows two classes of different size.
func classOf(row workspace.Workspace) (workspace.Class, error) {
	return workspace.Classes{
		{Name: "small", Limits: workspace.Limits{Memory: 1 << 30, Disk: 10 << 30}}, {Name: "large", Limits: workspace.Limits{Memory: 4 << 30}},
	}.Find(row.Class)
}

func (w *world) order(owner, class string) (workspace.Workspace, error) {
	return w.m.Create(w.t.Context(), workspace.Order{
		Owner: identity.UserID{Tenant: "t", Object: owner}, OwnerName: owner, Project: "p-aaaaaaaaaaaaaaaa",
		Repository: "https://git.example.test/payments/api", Details: workspace.Details{Class: class},
	})
}

func (w *world) started(owner string) workspace.Workspace {
	w.t.Helper()
	row, err := w.order(owner, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

func (w *world) waits(id identity.WorkspaceID, at, of int) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for w.m.Place(id) != (workspace.Place{At: at, Of: of}) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s waits at %+v, not at %d of %d", id, w.m.Place(id), at, of)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// With a full machine workspaces wait, whoever has fewer first, and keep their turn over a restart of the server.
func TestQueue(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 2}
	w.start()
	first, second := w.started("ada"), w.started("ada")
	w.until(first.ID, workspace.Running)
	w.until(second.ID, workspace.Running)
	third := w.started("ada")
	w.waits(third.ID, 1, 1)
	if row, _ := w.m.Get(third.ID); row.Phase != workspace.Pending {
		t.Errorf("it is %s", row.Phase)
	}
	if lines, _, stop := w.m.Follow(third.ID); len(lines) == 0 || !strings.Contains(lines[len(lines)-1].Text, "place 1 of 1") {
		t.Errorf("who waits reads %v", lines)
	} else {
		stop()
	}
	other := w.started("bob")
	w.waits(other.ID, 1, 2)
	w.waits(third.ID, 2, 2)
	w.end()
	w.start()
	w.waits(other.ID, 1, 2)
	w.waits(third.ID, 2, 2)
	given := w.started("bob")
	w.waits(given.ID, 2, 3) // ada has two that run
	w.want(given.ID, workspace.WantStopped)
	w.until(given.ID, workspace.Stopped)
	w.want(first.ID, workspace.WantStopped)
	w.until(other.ID, workspace.Running)
	w.waits(third.ID, 1, 1)
	w.want(second.ID, workspace.WantDeleted)
	w.until(third.ID, workspace.Running)
	if row, _ := w.m.Get(third.ID); !row.Queued.IsZero() || row.Began.IsZero() {
		t.Errorf("it runs and waits: %+v", row.Details)
	}
}

// A start that fails, and one that is taken back, leave their room to others.
func TestQueueGoesOn(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Memory: 5 << 30}
	w.f.failing("Start", errors.New("no"))
	w.start()
	large, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.until(large.ID, workspace.Stopped)
	w.f.failing("Start", nil)
	w.want(large.ID, workspace.WantRunning)
	w.until(large.ID, workspace.Running)
	small := w.started("ada")
	w.until(small.ID, workspace.Running)
	again, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.waits(again.ID, 1, 1)
	behind := w.started("ada") // is small, and does not overtake
	w.waits(behind.ID, 2, 2)
	w.want(again.ID, workspace.WantStopped)
	w.waits(behind.ID, 1, 1)
	w.want(small.ID, workspace.WantStopped)
	w.until(behind.ID, workspace.Running)
	w.end()
	w.rules = workspace.Rules{Memory: 2 << 30}
	w.start()
	if _, err := w.order("bob", "large"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("larger than the machine: %v", err)
	}
	if _, err := w.order("bob", "huge"); problem.KindOf(err) != problem.Invalid {
		t.Errorf("a class that is not there: %v", err)
	}
}

// A class that is changed while it waits or runs makes no room: what counts is what runs, and the new class waits for its turn.
func TestAnotherClassMakesNoRoom(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Memory: 5 << 30}
	w.start()
	change := func(row workspace.Workspace, class string) {
		t.Helper()
		if _, err := w.m.Change(t.Context(), row.ID, func(d *workspace.Details) { d.Class = class }); err != nil {
			t.Fatal(err)
		}
	}
	first, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.until(first.ID, workspace.Running)
	change(first, "small")
	second, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.waits(second.ID, 1, 1)
	w.end()
	w.start()
	w.waits(second.ID, 1, 1)
	change(second, "small")
	w.want(first.ID, workspace.WantStopped)
	w.until(first.ID, workspace.Stopped)
	if row := w.until(second.ID, workspace.Running); row.Holds != 1<<30 {
		t.Errorf("it was given room for %d", row.Holds)
	}
}

// A prebuild takes room as a workspace does, and none that somebody waits for.
func TestAPrebuildWaitsForRoom(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 1}
	w.start()
	leave, err := w.m.Room(t.Context(), "w-aaaaaaaaaaaaaaaa", workspace.Class{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	row := w.started("ada")
	w.waits(row.ID, 1, 1)
	leave()
	w.until(row.ID, workspace.Running)
	given := make(chan func())
	go func() {
		leave, err := w.m.Room(t.Context(), "w-aaaaaaaaaaaaaaaa", workspace.Class{}, time.Time{})
		if err != nil {
			t.Error(err)
		}
		given <- leave
	}()
	select {
	case <-given:
		t.Error("it has room on a full machine")
	case <-time.After(50 * time.Millisecond):
	}
	w.want(row.ID, workspace.WantStopped)
	leave = <-given
	leave()
}

func TestLimitsOfPersonAndProject(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{RunningPerUser: 1, RunningPerProject: 2, PerUser: 2}
	w.start()
	refused := func(who, says string) {
		t.Helper()
		if _, err := w.order(who, ""); problem.KindOf(err) != problem.Conflict || !strings.Contains(problem.Message(err), says) {
			t.Errorf("%s: %v", who, err)
		}
	}
	first := w.started("ada")
	refused("ada", string(first.ID))
	w.want(first.ID, workspace.WantStopped)
	second := w.started("ada")
	if err := w.m.Want(t.Context(), first.ID, workspace.WantRunning, audit.Event{Time: time.Now(), Action: "test"}); problem.KindOf(err) != problem.Conflict {
		t.Errorf("a second one runs: %v", err)
	}
	w.want(second.ID, workspace.WantStopped)
	refused("ada", "Delete one")
	w.started("bob")
	w.started("eve")
	refused("joe", "project")
}

func TestTold(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{MaxLife: 3 * time.Hour, MaxTimeout: 2 * time.Hour}
	w.start()
	row := w.create()
	w.until(row.ID, workspace.Running)
	look := func() workspace.Life {
		w.m.OverTime(t.Context())
		l, _ := w.m.Life(row.ID)
		return l
	}
	w.pass(54 * time.Minute)
	if l := look(); l.Notice != "" || w.warnings() != 0 {
		t.Errorf("told early: %+v", l)
	}
	w.pass(2 * time.Minute)
	if l := look(); !strings.Contains(l.Notice, "unless it is used") || w.warnings() != 1 {
		t.Errorf("not told: %+v", l)
	}
	look()
	if w.warnings() != 1 {
		t.Error("told twice")
	}
	w.mu.Lock()
	w.inUse = true
	w.mu.Unlock()
	if l := look(); l.Notice != "" {
		t.Errorf("used, and still to stop: %+v", l)
	}
	w.mu.Lock()
	w.inUse = false
	w.mu.Unlock()
	if _, err := w.m.Change(t.Context(), row.ID, func(d *workspace.Details) { d.Timeout = 9 * time.Hour }); err != nil {
		t.Fatal(err)
	}
	if l := look(); l.Timeout != 2*time.Hour {
		t.Errorf("beyond what may be: %+v", l)
	}
	w.pass(100 * time.Minute)
	if l, err := w.m.Extend(row.ID); err != nil || l.Stops != l.Last {
		t.Errorf("it may live on until its last moment: %+v %v", l, err)
	}
	w.pass(20 * time.Minute)
	if l := look(); !strings.Contains(l.Notice, "as long as a workspace may") {
		t.Errorf("%+v", l)
	}
	w.pass(10 * time.Minute)
	look()
	w.until(row.ID, workspace.Stopped)
	if got, _ := w.m.Get(row.ID); got.Message != "" || got.Timeout != 9*time.Hour {
		t.Errorf("%+v", got)
	}
	if _, err := w.m.Extend(row.ID); problem.KindOf(err) != problem.Conflict {
		t.Errorf("what does not run is extended: %v", err)
	}
}

// Work that no remote has is known after the stop, and kept longer than the rest.
func TestAge(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{ArchiveAfter: 24 * time.Hour, DeleteAfter: 48 * time.Hour, DeleteUnsavedAfter: 96 * time.Hour}
	w.start()
	stopped := func(work string) workspace.Workspace {
		row := w.create()
		w.until(row.ID, workspace.Running)
		w.f.mu.Lock()
		w.f.work = work
		w.f.mu.Unlock()
		w.want(row.ID, workspace.WantStopped)
		return w.until(row.ID, workspace.Stopped)
	}
	saved := stopped(`{"checkouts":[{"folder":"api"}]}`)
	unsaved := stopped(`{"checkouts":[{"folder":"api","changed":2,"unpushed":1}]}`)
	silent := stopped(`nonsense`)
	pinned := stopped(`{}`)
	if u, _, err := w.m.Unsaved(t.Context(), unsaved.ID); err != nil || u == nil || u.String() != "2 files that are not committed, 1 commit that is not pushed" {
		t.Errorf("what it held: %v %v", u, err)
	}
	if u, _, err := w.m.Unsaved(t.Context(), silent.ID); err != nil || u != nil {
		t.Errorf("what nobody said is known: %v %v", u, err)
	}
	if _, err := w.m.Change(t.Context(), pinned.ID, func(d *workspace.Details) { d.Pinned = true }); err != nil {
		t.Fatal(err)
	}
	w.m.Age(t.Context())
	w.pass(25 * time.Hour)
	w.m.Age(t.Context())
	for _, row := range []workspace.Workspace{saved, unsaved, silent} {
		if now, _ := w.m.Get(row.ID); now.Archived.IsZero() {
			t.Errorf("it is not archived: %+v", now.Details)
		}
	}
	w.want(saved.ID, workspace.WantRunning)
	if now := w.until(saved.ID, workspace.Running); !now.Archived.IsZero() {
		t.Error("it runs, and is archived")
	}
	w.f.mu.Lock()
	w.f.work = `{}`
	w.f.mu.Unlock()
	w.want(saved.ID, workspace.WantStopped)
	w.until(saved.ID, workspace.Stopped)
	w.pass(50 * time.Hour)
	w.m.Age(t.Context())
	w.until(saved.ID, "")
	w.until(unsaved.ID, workspace.Stopped)
	w.pass(25 * time.Hour)
	w.m.Age(t.Context())
	w.until(unsaved.ID, "")
	w.until(silent.ID, "")
	if now := w.until(pinned.ID, workspace.Stopped); !now.Archived.IsZero() {
		t.Error("what is pinned is archived")
	}
}

func TestAFailedStartIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.f.failing("Setup", errors.New("no"))
	row := w.create()
	now := w.until(row.ID, workspace.Stopped)
	if now.Failed == nil || now.Failed.Step != "setting up" || len(now.Failed.Lines) == 0 || !strings.Contains(now.Message, "repository not found") {
		t.Errorf("%+v %q", now.Failed, now.Message)
	}
	w.f.failing("Setup", nil)
	w.want(row.ID, workspace.WantRunning)
	if now := w.until(row.ID, workspace.Running); now.Failed != nil {
		t.Errorf("it runs, and failed: %+v", now.Failed)
	}
}

// watched says by itself what changes; its list is asked for then, and hardly ever besides.
type watched struct {
	*faulty
	changes chan identity.WorkspaceID
}

func (r watched) Watch(ctx context.Context, changed func(identity.WorkspaceID)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id, ok := <-r.changes:
			if !ok {
				return errors.New("lost")
			}
			changed(id)
		}
	}
}

func TestWhatARuntimeSaysIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.end()
	r := watched{faulty: w.f, changes: make(chan identity.WorkspaceID)}
	w.runtime = r
	w.start()
	row := w.create()
	w.until(row.ID, workspace.Running)
	w.f.mu.Lock()
	w.f.runs[row.ID] = false
	started := w.f.started
	w.f.mu.Unlock()
	r.changes <- row.ID
	deadline := time.Now().Add(30 * time.Second)
	for {
		w.f.mu.Lock()
		again := w.f.started > started
		w.f.mu.Unlock()
		if again {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what the runtime said was not followed")
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.until(row.ID, workspace.Running)
	w.end()
}

// full is a disk on which every workspace has so many bytes.
type full int64

func (full) Spaces(context.Context) ([]workspace.Space, error) { return nil, nil }
func (f full) DiskUse(context.Context, identity.WorkspaceID, workspace.DiskUse) (workspace.DiskUse, error) {
	return workspace.DiskUse{Bytes: int64(f)}, nil
}
func (full) Written(context.Context) (map[identity.WorkspaceID]int64, error) { return nil, nil }

func TestDiskBeyondItsBound(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	w.until(row.ID, workspace.Running)
	for _, step := range []struct {
		has  int64 // GiB
		pass time.Duration
		told int
	}{{9, 0, 0}, {11, 0, 1}, {11, 9 * time.Minute, 1}, {10, 0, 1}, {11, 5 * time.Minute, 2}, {12, 9 * time.Minute, 2}} {
		w.pass(step.pass)
		w.m.MeasureDisk(t.Context(), full(step.has<<30))
		now, _ := w.m.Get(row.ID)
		life, _ := w.m.Life(row.ID)
		if now.Desired != workspace.WantRunning || w.warnings() != step.told || (step.has > 10) != strings.Contains(life.Notice, "its disk is full: ") {
			t.Fatalf("%+v: told %d times, wanted %s, notice %q", step, w.warnings(), now.Desired, life.Notice)
		}
	}
	w.pass(2 * time.Minute)
	w.m.MeasureDisk(t.Context(), full(14<<30))
	if now := w.until(row.ID, workspace.Stopped); !strings.Contains(now.Message, "its disk is full: 14.0 GiB of 10.0 GiB") || !strings.Contains(now.Message, "Start it again") {
		t.Errorf("%q", now.Message)
	}
	w.end() // what it says outlives the server
	w.start()
	if now := w.until(row.ID, workspace.Stopped); now.Full == nil || now.Full.Bytes != 14<<30 || !strings.Contains(now.Message, "its disk is full") {
		t.Errorf("after a restart: %+v %q", now.Full, now.Message)
	}
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Running)
	w.m.MeasureDisk(t.Context(), full(14<<30))
	if now, _ := w.m.Get(row.ID); now.Desired != workspace.WantRunning || now.Message != "" {
		t.Error("there is no time to make room")
	}
	w.m.MeasureDisk(t.Context(), full(15<<30))
	if now := w.until(row.ID, workspace.Stopped); !strings.Contains(now.Message, "15.0 GiB of 10.0 GiB") {
		t.Errorf("%q", now.Message)
	}
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Running)
	w.m.MeasureDisk(t.Context(), full(9<<30))
	if now, _ := w.m.Get(row.ID); now.Full != nil {
		t.Error("that it made room is not noted")
	}
	w.m.MeasureDisk(t.Context(), full(13<<30))
	w.until(row.ID, workspace.Stopped)
}
