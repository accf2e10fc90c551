package workspace_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// tight is a disk of 20 GiB, of which others have taken nearly all or nothing. What workspaces have and have written is as it is said.
type tight struct {
	*faulty
	mu      sync.Mutex
	taken   int64
	use     map[identity.WorkspaceID]workspace.DiskUse
	stuck   map[identity.WorkspaceID]bool // counting their files never ends
	wrote   map[identity.WorkspaceID]int64
	weighed map[identity.WorkspaceID]int
}

func (f *tight) Spaces(context.Context) ([]workspace.Space, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []workspace.Space{{Path: "/data", Device: 1, Holds: true, Size: 20 << 30, Free: 8<<30 - f.taken}}, nil
}

func (f *tight) DiskUse(ctx context.Context, id identity.WorkspaceID, _ workspace.DiskUse) (workspace.DiskUse, error) {
	f.mu.Lock()
	f.weighed[id]++
	use, stuck := f.use[id], f.stuck[id]
	f.mu.Unlock()
	if stuck {
		<-ctx.Done()
	}
	return use, context.Cause(ctx)
}

func (f *tight) Written(context.Context) (map[identity.WorkspaceID]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wrote := map[identity.WorkspaceID]int64{}
	for id, n := range f.wrote {
		wrote[id] = n
	}
	return wrote, nil
}

// change changes what is said.
func (f *tight) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func tightWorld(t *testing.T) (*world, *tight) {
	w := newWorld(t)
	w.end()
	f := &tight{faulty: w.f, use: map[identity.WorkspaceID]workspace.DiskUse{}, stuck: map[identity.WorkspaceID]bool{}, wrote: map[identity.WorkspaceID]int64{}, weighed: map[identity.WorkspaceID]int{}}
	w.runtime = f
	w.start()
	return w, f
}

// Whoever has much, or has written much and removed it, is not stopped for what somebody else took of the disk: not even if it is not
// known who that is. Who goes on is found by what they had then.
func TestAttack27BystandersOfAFullDisk(t *testing.T) {
	w, f := tightWorld(t)
	w.pass(-time.Hour)
	large, other := w.create(), w.create()
	w.until(large.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	f.change(func() {
		f.use[large.ID], f.use[other.ID] = workspace.DiskUse{Bytes: 6 << 30, Files: 10}, workspace.DiskUse{Bytes: 1, Files: 1}
	})
	w.end() // what they had is forgotten
	w.pass(time.Hour)
	w.start()
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	w.until(large.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	looked := func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return w.m.Disks()[0].Low && f.weighed[large.ID] > 0 && f.weighed[other.ID] > 0
	}
	f.change(func() { f.taken = 8<<30 - 900<<20; clear(f.weighed) })
	w.eventually("it is looked who it was", looked)
	f.change(func() { f.wrote[large.ID], f.taken = 4<<30, 8<<30-500<<20; clear(f.weighed) })
	w.eventually("it is looked again", looked)
	f.change(func() { f.use[other.ID], f.taken = workspace.DiskUse{Bytes: 400 << 20, Files: 1}, 8<<30-100<<20 })
	if now := w.until(other.ID, workspace.Stopped); !strings.Contains(now.Message, "nearly full") {
		t.Errorf("%q", now.Message)
	}
	if now, _ := w.m.Get(large.ID); now.Desired != workspace.WantRunning {
		t.Errorf("who did not grow was stopped: %s", now.Message)
	}
}

// Who is measured in the midst of filling a disk has grown all the same by what it had written until then.
func TestAttack27FillersThatAreMeasured(t *testing.T) {
	w, f := tightWorld(t)
	filler, other := w.create(), w.create()
	w.until(filler.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	for _, has := range []int64{4 << 30, 6 << 30, 27 << 28} {
		f.change(func() { f.use[filler.ID], f.taken = workspace.DiskUse{Bytes: has, Files: 1}, has })
		w.m.MeasureDisk(t.Context(), f)
	}
	f.change(func() { f.use[filler.ID], f.taken = workspace.DiskUse{Bytes: 8<<30 - 900<<20, Files: 1}, 8<<30-900<<20 })
	w.until(filler.ID, workspace.Stopped)
	if now, _ := w.m.Get(other.ID); now.Desired != workspace.WantRunning {
		t.Errorf("the other was stopped: %s", now.Message)
	}
}

// Whose files are more than can be counted is told, and is the one if all others are not.
func TestAttack27FilesThatCannotBeCounted(t *testing.T) {
	w, f := tightWorld(t)
	hider, other := w.create(), w.create()
	w.until(hider.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	f.change(func() {
		f.use[hider.ID], f.use[other.ID] = workspace.DiskUse{Bytes: 1, Files: 5_000_000, More: true}, workspace.DiskUse{Bytes: 1, Files: 1}
	})
	w.m.MeasureDisk(t.Context(), f)
	if life, _ := w.m.Life(hider.ID); !strings.Contains(life.Notice, "more files than can be counted") {
		t.Errorf("notice %q", life.Notice)
	}
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	f.change(func() { f.taken = 8<<30 - 900<<20 })
	w.until(hider.ID, workspace.Stopped)
	if now, _ := w.m.Get(other.ID); now.Desired != workspace.WantRunning {
		t.Errorf("the other was stopped: %s", now.Message)
	}
}

// Who hides open files is the one if all others are not, and only then.
func TestAttack27FilesThatAreHidden(t *testing.T) {
	w, f := tightWorld(t)
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	hider, other := w.create(), w.create()
	w.until(hider.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	f.change(func() {
		f.use[hider.ID], f.use[other.ID] = workspace.DiskUse{Bytes: 1, Files: 1, Hidden: true}, workspace.DiskUse{Bytes: 7 << 30, Files: 1}
		f.taken = 8<<30 - 900<<20
	})
	w.until(other.ID, workspace.Stopped)
	if now, _ := w.m.Get(hider.ID); now.Desired != workspace.WantRunning {
		t.Errorf("who passes files on was stopped for what another took: %s", now.Message)
	}
	// The first of it may be taken for what went while the other one stopped: who hides goes on.
	left, next := int64(300<<20), time.Now()
	w.eventually("who hides is stopped", func() bool {
		if !time.Now().Before(next) {
			f.change(func() { f.taken = 8<<30 - left })
			left, next = left/4, time.Now().Add(3*time.Second)
		}
		now, _ := w.m.Get(hider.ID)
		return now.Phase == workspace.Stopped
	})
}

// Whose files take long to count keeps nobody else's from being counted.
func TestAttack27FilesThatTakeLongToCount(t *testing.T) {
	w, f := tightWorld(t)
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	slow, filler := w.create(), w.create()
	w.until(slow.ID, workspace.Running)
	w.until(filler.ID, workspace.Running)
	f.change(func() {
		f.stuck[slow.ID], f.wrote[slow.ID] = true, 1 // it is looked at first
		f.use[filler.ID], f.taken = workspace.DiskUse{Bytes: 7 << 30, Files: 1}, 8<<30-900<<20
	})
	w.until(filler.ID, workspace.Stopped)
	if now, _ := w.m.Get(slow.ID); now.Desired != workspace.WantRunning {
		t.Errorf("the other was stopped: %s", now.Message)
	}
}
