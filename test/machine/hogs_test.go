package machine

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// hog is a workspace that takes all it gets, beside one that is at work.
type hog struct {
	world
	other, greedy api.Workspace
	term          *harness.Terminal // of the other one
	first         api.Workspace     // what was known of the other one at the beginning
	server        int
}

func (w world) hog(t *testing.T) hog {
	t.Helper()
	h := hog{world: w, other: w.Workspace("ada", repository), server: w.Pid()}
	var err error
	if h.greedy, err = w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: repository, Class: "small"}); err != nil {
		t.Fatal(err)
	}
	if h.greedy, err = w.As("ada").Follow(w.Context(), h.greedy.ID, func(api.Progress) {}); err != nil || h.greedy.Phase != "running" {
		t.Fatalf("the greedy workspace: %+v %v", h.greedy, err)
	}
	h.term = w.Terminal("ada", h.other)
	h.says(t, "at the beginning")
	if h.first, err = w.As("ada").Workspace(w.Context(), h.other.ID); err != nil {
		t.Fatal(err)
	}
	return h
}

// says lets the terminal of the other workspace say something, which it does whatever the greedy one is at.
func (h hog) says(t *testing.T, when string) {
	t.Helper()
	before := strings.Count(h.term.Output(), "as ever")
	if err := h.term.Type("echo as e''ver\n"); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	h.Eventually(when+" the terminal of the other workspace answers", func() bool { return strings.Count(h.term.Output(), "as ever") > before })
}

// asItWas looks whether server and the other workspace are what they were, and ends the greedy one.
func (h hog) asItWas(t *testing.T) {
	t.Helper()
	if out, code := h.Exec("ada", h.other, "echo as ever"); code != 0 || out != "as ever\n" {
		t.Errorf("the other workspace answers %d %q", code, out)
	}
	now, err := h.As("ada").Workspace(h.Context(), h.other.ID)
	if err != nil || now.Phase != "running" || !now.Began.Equal(h.first.Began) {
		t.Errorf("the other workspace: %+v %v", now, err)
	}
	if h.Pid() != h.server {
		t.Errorf("the server was %d and is %d", h.server, h.Pid())
	}
	if _, err := h.As("ada").StopWorkspace(h.Context(), h.greedy.ID); err != nil {
		t.Fatal(err)
	}
	h.phase(h.greedy.ID, "stopped")
	if err := h.As("ada").ForceDeleteWorkspace(h.Context(), h.greedy.ID); err != nil {
		t.Fatal(err)
	}
	h.phase(h.greedy.ID, "")
}

// takes lets the greedy workspace run a line, for some seconds at most, while the other one goes on. It returns how the line ended,
// by itself or not.
func (h hog) takes(t *testing.T, what, line string) (code int, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(h.Context(), 20*time.Second)
	defer stop()
	over, since := make(chan struct{}), time.Now()
	go func() {
		defer close(over)
		_, code, err = h.TryExec(ctx, "ada", h.greedy, line)
	}()
	for working := true; working; {
		h.says(t, what)
		if _, err := h.Operator.Workspaces(h.Context()); err != nil {
			t.Errorf("%s: the server answers %v", what, err)
		}
		select {
		case <-over:
			working = false
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Logf("%s: over after %s: %d %v", what, time.Since(since).Round(time.Millisecond), code, err)
	return code, err
}

func (h hog) all(t *testing.T) {
	t.Helper()
	if code, err := h.takes(t, "memory hog", `head -c 3G /dev/zero | tail -c 3G >/dev/null`); err != nil || code != 128+9 {
		t.Errorf("the memory hog ended with %d %v, not by its bound", code, err)
	}
	if code, err := h.takes(t, "disk filler", `head -c 512M </dev/zero >/workspace/big && rm /workspace/big`); err != nil || code != 0 {
		t.Errorf("the disk filler ended with %d %v", code, err)
	}
	_, _ = h.takes(t, "fork bomb", `bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 3`) // it may end as it likes; nothing more begins there
	h.asItWas(t)
}

// A fork bomb, a memory hog and a disk filler in one workspace leave the others and the server as they were.
func TestHogs(t *testing.T) {
	slow(t, "a fork bomb and the like")
	if os.Geteuid() != 0 {
		t.Skip("bounds of the sandbox take root")
	}
	world{harness.Start(t)}.hog(t).all(t)
}

func TestHogsInDocker(t *testing.T) {
	slow(t, "a fork bomb and the like")
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}.hog(t).all(t)
}

// A workspace that fills the disk on which the server's data lie, to the last byte, breaks nothing that runs; when there is room
// again all is as before.
func TestFullDisk(t *testing.T) {
	slow(t, "a disk of its own")
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own takes root")
	}
	if _, err := harness.Programs(); err != nil { // they lie elsewhere
		t.Fatal(err)
	}
	disk, err := os.MkdirTemp("", "lyf-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(disk) })
	if err := unix.Mount("lanyard-test", disk, "tmpfs", 0, "size=512m,mode=0755"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	t.Setenv("TMPDIR", disk)
	h := world{harness.Start(t)}.hog(t)
	greedy := h.Terminal("ada", h.greedy)
	if err := greedy.Type("cat /dev/zero >/workspace/big; echo fi''lled\n"); err != nil {
		t.Fatal(err)
	}
	h.Eventually("the disk is full", func() bool { return strings.Contains(greedy.Output(), "filled") })
	for range 5 {
		h.says(t, "on a full disk")
		if _, err := h.Operator.Workspaces(h.Context()); err != nil {
			t.Errorf("the server answers %v", err)
		}
	}
	_, code, failed := h.TryExec(h.Context(), "ada", h.other, "true")
	t.Logf("a command that begins on a full disk: %d %v", code, failed) // what has to be in the log first may be refused
	if err := greedy.Type("rm /workspace/big; echo re''moved\n"); err != nil {
		t.Fatal(err)
	}
	h.Eventually("there is room", func() bool { return strings.Contains(greedy.Output(), "removed") })
	h.Eventually("commands begin again", func() bool {
		_, code, err := h.TryExec(h.Context(), "ada", h.other, "true")
		return err == nil && code == 0
	})
	h.asItWas(t)
}
