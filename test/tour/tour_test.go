// Package tour tests `lanyard tour`: that it plays to its end, and that it leaves nothing behind, also when it is
// interrupted.
package tour

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// tourTime bounds a tour, on a machine that has much else to do.
const tourTime = 5 * time.Minute

func TestMain(m *testing.M) { harness.Main(m) }

func TestTour(t *testing.T) {
	w := harness.Start(t)
	project := filepath.Join(w.Info.Projects, "payments.yaml")
	before, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), tourTime)
	defer cancel()
	text, err := exec.CommandContext(ctx, filepath.Join(w.Bin(), "lanyard"), "tour", "--socket", w.Info.Socket).CombinedOutput()
	said := string(text)
	t.Log(said)
	if err != nil || !strings.Contains(said, "Everything happened as told") {
		t.Errorf("the tour ended with %v", err)
	}
	if strings.ContainsRune(said, '\x1b') {
		t.Error("the transcript holds what a terminal obeys")
	}
	for _, password := range []string{"lanyard-ada", w.Info.Tenant.ClientSecret} {
		if strings.Contains(said, password) {
			t.Error("a secret is in the transcript")
		}
	}
	untouched(t, w)
	if after, err := os.ReadFile(project); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the project's file was left changed: %v\n%s", err, after)
	}
}

// An interrupted tour puts back what it had changed, wherever it was.
func TestInterruptedTour(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("it plays most of the tour several times; `make test-all` does")
	}
	w := harness.Start(t)
	for _, when := range []string{"20 MB", "6. ", "11. "} {
		cmd := exec.Command(filepath.Join(w.Bin(), "lanyard"), "tour", "--socket", w.Info.Socket)
		seen := make(chan struct{})
		out := &watch{word: when, seen: seen}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-seen:
			_ = cmd.Process.Signal(os.Interrupt) // it may just have ended
		case <-time.After(tourTime):
			t.Errorf("the tour never came to %q", when)
			_ = cmd.Process.Kill()
		case err := <-ended:
			t.Fatalf("the tour ended before %q: %v\n%s", when, err, out.text.String())
		}
		var exit *exec.ExitError
		if err := <-ended; !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("interrupted at %q the tour ended with %v\n%s", when, err, out.text.String())
		}
		untouched(t, w)
	}
}

// watch collects output and says when something is in it.
type watch struct {
	word string
	seen chan struct{}
	text bytes.Buffer
}

// Write implements io.Writer; os/exec calls it from one goroutine, since both streams are the same writer.
func (w *watch) Write(p []byte) (int, error) {
	w.text.Write(p)
	if w.seen != nil && strings.Contains(w.text.String(), w.word) {
		close(w.seen)
		w.seen = nil
	}
	return len(p), nil
}

// untouched checks that no workspace is left and that everybody is who they were.
func untouched(t *testing.T, w *harness.World) {
	t.Helper()
	left, err := w.Operator.Workspaces(w.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("workspaces are left: %v, %v", left, err)
	}
	for name, projects := range map[string]int{"ada": 1, "barbara": 1, "linus": 1, "mallory": 0, "joy": 0} {
		me, err := w.SignIn(name).Me(w.Context())
		if err != nil || len(me.Projects) != projects {
			t.Errorf("%s is in %v, %v", name, me.Projects, err)
		}
	}
	ws := w.Workspace("linus", "https://git.example.test/payments/api")
	if out := w.Must("linus", ws, "git branch -r"); strings.Contains(out, "tour") {
		t.Errorf("a branch of the tour is left:\n%s", out)
	}
	if err := w.Operator.DeleteWorkspace(w.Context(), ws.ID); err != nil {
		t.Error(err)
	}
	deadline := time.Now().Add(harness.Wait)
	for time.Now().Before(deadline) {
		if left, err := w.Operator.Workspaces(w.Context()); err == nil && len(left) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
