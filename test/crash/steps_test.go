package crash

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// killedAt follows a workspace's start or stop and kills the server when a line that begins with text is said, if it is; then
// it starts the next server. It reports whether the line was said.
func killedAt(w *harness.World, id, text string) bool {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), harness.Wait)
	defer cancel()
	var said atomic.Bool
	_, _ = w.As(who).Follow(ctx, id, func(p api.Progress) { // a server that dies ends it
		if strings.HasPrefix(p.Text, text) && said.CompareAndSwap(false, true) {
			cancel()
		}
	})
	if said.Load() {
		w.Kill()
		w.Run()
	}
	return said.Load()
}

// stepsOf are the lines of a start that name a step of it, each by its beginning.
func stepsOf(w *harness.World, id string) (steps []string) {
	w.T.Helper()
	lines, err := w.As(who).Logs(w.Context(), id)
	if err != nil {
		w.T.Fatal(err)
	}
	known := map[string]bool{}
	for _, l := range lines {
		step, _, _ := strings.Cut(l.Text, ":")
		if !known[step] && step != "Ready." {
			steps = append(steps, step)
		}
		known[step] = true
	}
	return steps
}

// Killed at each step of a start, of a stop and of a deletion, the server that comes next ends what was begun, and nothing is
// left of what is deleted.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	steps(harness.Start(t), func(w *harness.World) []string { return append(folders(w), mentioning(w)...) })
}

// The same with workspaces in Docker.
func TestKilledAtEachStepInDocker(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("an engine and a server that is killed at each step: set LANYARD_SLOW=1 (make test-all)")
	}
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	steps(harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image), func(*harness.World) []string { return nil })
}

func steps(w *harness.World, left func(*harness.World) []string) {
	t := w.T
	t.Helper()
	first := w.Workspace(who, repository)
	all := stepsOf(w, first.ID)
	t.Logf("the steps of a start: %q", all)
	if len(all) < 4 {
		t.Errorf("a start has the steps %q", all)
	}
	for i, step := range all {
		if os.Getenv("LANYARD_SLOW") == "" && i%3 != 0 && !strings.HasPrefix(step, "making the workspace's") { // which is beside the others
			continue // each costs a server's start
		}
		ws, err := w.As(who).CreateWorkspace(w.Context(), api.Order{ContextURL: repository})
		if err != nil {
			t.Fatal(err)
		}
		said := killedAt(w, ws.ID, step)
		reaches(w, ws.ID, "running")
		if out := soon(w, ws, "git -C /workspace/api status --porcelain && cat /workspace/api/README.md"); out == "" {
			t.Errorf("killed at %q (%v), the checkout is empty", step, said)
		}
		soon(w, ws, "echo kept >~/kept")
		stopAndDelete(w, ws)
	}
	if err := w.As(who).ForceDeleteWorkspace(w.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	reaches(w, first.ID, "deleted")
	w.Stop()
	if found := left(w); len(found) > 0 {
		t.Errorf("of workspaces that are deleted is left: %v", found)
	}
}

// stopAndDelete kills the server as soon as a stop is told of, and as soon as a deletion is wanted.
func stopAndDelete(w *harness.World, ws api.Workspace) {
	w.T.Helper()
	if _, err := w.As(who).StopWorkspace(w.Context(), ws.ID); err != nil {
		w.T.Fatal(err)
	}
	killedAt(w, ws.ID, "Stopping")
	reaches(w, ws.ID, "stopped")
	if err := w.As(who).ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
		w.T.Fatal(err)
	}
	w.Kill()
	w.Run()
	reaches(w, ws.ID, "deleted")
}
