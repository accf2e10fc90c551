package machine

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

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
	if code, err := h.takes(t, "writer of much", `head -c 512M </dev/zero >/workspace/big && rm /workspace/big`); err != nil || code != 0 {
		t.Errorf("who writes much ended with %d %v", code, err)
	}
	_, _ = h.takes(t, "fork bomb", `bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 3`) // it may end as it likes; nothing more begins there
	h.asItWas(t)
}

// A fork bomb, a memory hog and one that writes much in one workspace leave the others and the server as they were. Those that fill the
// disk are fillers_test.go's.
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
