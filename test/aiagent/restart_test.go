package aiagent

import (
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// TestRestart: an AI agent does not outlive the server that holds its command; its work is not lost, and nothing that it was
// given is left.
func TestRestart(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("with LANYARD_SLOW=1: it starts a world of its own, twice")
	}
	w, ws := start(t)
	begin(w, ws, "lanyard agent run --as survivor --allow repo:read -n -- sh -c 'echo work > work.txt; sleep 600'")
	x := running(w, ws, "survivor")
	w.Eventually("it has written", func() bool {
		out, _ := w.Exec("ada", ws, "lanyard agent show survivor")
		return strings.Contains(out, x.ID)
	})
	w.Kill()
	w.Run()
	w.SignIn("ada")
	w.Eventually("its work is back", func() bool {
		out, code, err := w.TryExec(w.Context(), "ada", ws, "git branch --list 'agent/survivor/*'")
		return err == nil && code == 0 && strings.Contains(out, "agent/survivor/")
	})
	logged(w, "its end", api.AuditQuery{Action: "agent:ended"}, func(e api.Event) bool { return e.Actor == "agent:survivor" })
	if list := w.Lanyard("grants", "--json"); strings.Contains(list.Out, x.Grant) {
		t.Errorf("its delegation is still listed: %s", list.Out)
	}
	if list := w.Lanyard("leases", "--json"); strings.Contains(list.Out, "agent:survivor") {
		t.Errorf("it is still listed as open: %s", list.Out)
	}
}
