package workspace_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// filling is a disk of 60,000 files, of which 3,000 are to stay free. One workspace fills it, and goes on until it has ended.
type filling struct {
	*faulty
	mu    sync.Mutex
	who   identity.WorkspaceID
	files int64
	after int64         // that it makes while it is ended
	slow  chan struct{} // closed: all of a workspace's files can be counted
}

func (f *filling) Spaces(context.Context) ([]workspace.Space, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []workspace.Space{{Path: "/data", Device: 1, Holds: true, Size: 10 << 30, Free: 9 << 30, Files: 60_000, FreeFiles: 50_000 - f.files}}, nil
}

func (f *filling) DiskUse(ctx context.Context, id identity.WorkspaceID, most workspace.DiskUse) (workspace.DiskUse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	use := workspace.DiskUse{Bytes: 1, Files: 10}
	if id != f.who {
		return use, nil
	}
	if use.Files += f.files; use.Beyond(most) { // as far as it was counted
		return workspace.DiskUse{Bytes: 1, Files: most.Files + 1}, nil
	}
	if f.slow != nil && f.after == 0 {
		slow := f.slow
		f.mu.Unlock()
		select {
		case <-slow:
		case <-ctx.Done():
		}
		f.mu.Lock()
	}
	return use, nil
}

func (f *filling) Written(context.Context) (map[identity.WorkspaceID]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return map[identity.WorkspaceID]int64{f.who: f.files * 10}, nil
}

func (f *filling) Stop(ctx context.Context, id identity.WorkspaceID) error {
	f.mu.Lock()
	if id == f.who {
		f.files, f.after = f.files+f.after, 0
	}
	f.mu.Unlock()
	return f.faulty.Stop(ctx, id)
}

// A stop that cannot be noted down on a full disk is tried again.
func TestStopIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	row := w.create()
	w.until(row.ID, workspace.Running)
	w.f.failing("Stop", problem.New(problem.Unavailable, "no space left on device"))
	w.want(row.ID, workspace.WantStopped)
	w.eventually("it was said why it is not stopped", func() bool {
		lines, _, end := w.m.Follow(row.ID)
		end()
		return strings.Contains(lines[len(lines)-1].Text, "no space left")
	})
	w.f.failing("Stop", nil)
	w.until(row.ID, workspace.Stopped)
}

// What a filler made until its end is no reason to end it again when it starts to make room: it starts when it is known what it has.
func TestWhatAFillerHadIsItsOwn(t *testing.T) {
	w := newWorld(t)
	w.end()
	f := &filling{faulty: w.f, after: 1500, slow: make(chan struct{})}
	w.runtime = f
	w.start()
	row, other := w.create(), w.create()
	w.until(row.ID, workspace.Running)
	w.until(other.ID, workspace.Running)
	f.mu.Lock()
	f.who = row.ID
	f.mu.Unlock()
	w.eventually("the disk is looked at", func() bool { return len(w.m.Disks()) == 1 })
	f.mu.Lock()
	f.files = 47_100
	f.mu.Unlock()
	if now := w.until(row.ID, workspace.Stopped); !strings.Contains(now.Message, "files more") {
		t.Errorf("%q", now.Message)
	}
	w.want(row.ID, workspace.WantRunning)
	w.until(row.ID, workspace.Pending)
	close(f.slow)
	now := w.until(row.ID, workspace.Running)
	if now.Full == nil || now.Full.Files != 48_610 {
		t.Errorf("what it has: %+v", now.Full)
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // it is looked ten times a second
		if now, _ := w.m.Get(row.ID); now.Desired != workspace.WantRunning {
			t.Fatalf("it was stopped again: %s", now.Message)
		}
	}
	w.until(other.ID, workspace.Running)
}
