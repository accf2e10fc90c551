package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/test/harness"
)

func slow(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skipf("%s: set LANYARD_SLOW=1 (make test-all)", why)
	}
}

// A fork bomb, a memory hog and a disk filler in one workspace leave the others and the server as they were.
func TestHogs(t *testing.T) {
	slow(t, "a fork bomb and the like")
	if os.Geteuid() != 0 {
		t.Skip("bounds of the sandbox take root")
	}
	w := world{harness.Start(t)}
	other := w.Workspace("ada", repository)
	hog, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: repository, Class: "small"})
	if err != nil {
		t.Fatal(err)
	}
	w.phase(hog.ID, "running")
	for name, line := range map[string]string{
		"fork bomb":   `bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 3`,
		"memory hog":  `tail -c 3G </dev/zero`,
		"disk filler": `head -c 512M </dev/zero >/workspace/big; rm /workspace/big`,
	} {
		ctx, stop := context.WithTimeout(w.Context(), 5*time.Second)
		over, since := make(chan struct{}), time.Now()
		go func() {
			defer close(over)
			_, _, _ = w.TryExec(ctx, "ada", hog, line) // it may end as it likes
		}()
		for working := true; working; {
			if out, code := w.Exec("ada", other, "echo as ever"); code != 0 || out != "as ever\n" {
				t.Errorf("%s: the other workspace answers %d %q", name, code, out)
			}
			if _, err := w.Operator.Workspaces(w.Context()); err != nil {
				t.Errorf("%s: the server answers %v", name, err)
			}
			select {
			case <-over:
				working = false
			case <-time.After(200 * time.Millisecond):
			}
		}
		stop()
		t.Logf("%s: over after %s", name, time.Since(since).Round(time.Millisecond))
	}
	if now, err := w.Operator.Workspace(w.Context(), other.ID); err != nil || now.Phase != "running" || now.Began.IsZero() {
		t.Errorf("the other one: %+v %v", now, err)
	}
	if _, err := w.As("ada").StopWorkspace(w.Context(), hog.ID); err != nil {
		t.Fatal(err)
	}
	w.phase(hog.ID, "stopped")
	if err := w.As("ada").ForceDeleteWorkspace(w.Context(), hog.ID); err != nil {
		t.Fatal(err)
	}
	w.phase(hog.ID, "")
}

// Many workspaces run at once, and a server that is killed finds all of them again. LANYARD_MANY says how many.
func TestMany(t *testing.T) {
	slow(t, "200 workspaces")
	many := 200
	if n, err := strconv.Atoi(os.Getenv("LANYARD_MANY")); err == nil {
		many = n
	}
	w := world{harness.Start(t)}
	ada := w.As("ada")
	all := make([]string, many)
	var starts sync.WaitGroup
	turns := make(chan struct{}, 20) // at once
	begun := time.Now()
	for i := range all {
		starts.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ws, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repository})
			if err == nil {
				all[i] = ws.ID
				ws, err = ada.Follow(w.Context(), ws.ID, func(api.Progress) {})
			}
			if err != nil || ws.Phase != "running" {
				t.Errorf("workspace %d is %s (%s): %v", i, ws.Phase, ws.Message, err)
			}
		})
	}
	starts.Wait()
	if t.Failed() {
		return
	}
	var memory int64
	for _, id := range all {
		memory += w.proportion(t, id)
	}
	t.Logf("%d workspaces run after %s, with %.1f MiB each; the server has %.1f MiB", many, time.Since(begun).Round(time.Millisecond),
		float64(memory)/float64(many)/(1<<20), float64(pss(t, w.Pid()))/(1<<20))
	w.Kill()
	w.Run()
	for _, id := range []string{all[0], all[many/2], all[many-1]} {
		w.phase(id, "running")
		w.Eventually("the agent is back", func() bool {
			out, code, err := w.TryExec(w.Context(), "ada", api.Workspace{ID: id}, "echo back")
			return err == nil && code == 0 && out == "back\n"
		})
	}
	list, err := w.Operator.Workspaces(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	running := 0
	for _, ws := range list {
		if ws.Phase == "running" {
			running++
		}
	}
	if running != many {
		t.Errorf("%d of %d run after the server's restart", running, many)
	}
}

// proportion is the memory of all processes of a workspace, what they share counted by its share, in bytes.
func (w world) proportion(t *testing.T, id string) (sum int64) {
	t.Helper()
	label := identity.WorkspaceID(id).Label()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	uid := ""
	if info, err := os.Stat(filepath.Join(w.Data, "server", "sandbox", "w", label, "files")); err == nil {
		uid = fmt.Sprint(owner(info))
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if info, err := os.Stat("/proc/" + e.Name()); err == nil && fmt.Sprint(owner(info)) == uid {
			sum += pss(t, pid)
		} else if status, err := os.ReadFile("/proc/" + e.Name() + "/status"); err == nil && strings.Contains(string(status), "\nUid:\t"+uid+"\t") {
			sum += pss(t, pid) // an undumpable process belongs to root there
		}
	}
	return sum
}

func pss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0 // it has ended
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	return 0
}
