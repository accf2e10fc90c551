package machine

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// Who sits idle at a terminal is told before the workspace stops; a key keeps it, what Lanyard itself writes there does not.
func TestToldInTheTerminal(t *testing.T) {
	slow(t, "timeouts of a minute")
	w := world{harness.Start(t)}
	ws := w.Workspace("ada", repository)
	short := "1m"
	if _, err := w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Timeout: &short}); err != nil {
		t.Fatal(err)
	}
	term := w.Terminal("ada", ws)
	if err := term.Type("echo at w''ork\n"); err != nil {
		t.Fatal(err)
	}
	told := func(times int) {
		t.Helper()
		w.Eventually("the terminal is told", func() bool { return strings.Count(term.Output(), "This workspace stops in") >= times })
	}
	told(1)
	before, err := w.As("ada").Workspace(w.Context(), ws.ID)
	if err != nil || before.Notice == "" {
		t.Fatalf("the notice: %+v %v", before.Machine, err)
	}
	if err := term.Type("#\n"); err != nil {
		t.Fatal(err)
	}
	w.Eventually("a key keeps it", func() bool {
		now, err := w.As("ada").Workspace(w.Context(), ws.ID)
		return err == nil && now.Stops.After(before.Stops) && now.Notice == ""
	})
	told(2)
	w.phase(ws.ID, "stopped")
	if now, err := w.As("ada").Workspace(w.Context(), ws.ID); err != nil || now.Message != "" || now.Unsaved == nil {
		t.Errorf("stopped: %+v %v", now, err)
	}
}
