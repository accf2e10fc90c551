package workspace_test

import (
	"testing"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// A workspace whose file takes a larger class than it was let in with waits for room for that, and leaves the room that it had.
func TestAFileThatTakesALargerClassWaitsForIt(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Memory: 5 << 30}
	w.start()
	first, err := w.order("ada", "large")
	if err != nil {
		t.Fatal(err)
	}
	w.until(first.ID, workspace.Running)
	w.end()
	w.note = func(d *workspace.Details) { d.Class, d.Fitted = "large", true }
	w.start()
	second := w.started("bob") // there is room for what it asks
	w.waits(second.ID, 1, 1)
	if row, _ := w.m.Get(second.ID); row.Class != "large" || row.Phase != workspace.Pending {
		t.Errorf("it is %s, of class %s", row.Phase, row.Class)
	}
	w.want(first.ID, workspace.WantStopped)
	if row := w.until(second.ID, workspace.Running); row.Holds != 4<<30 || !row.Fitted {
		t.Errorf("it was given room for %d", row.Holds)
	}
}
