package sandbox

import (
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// What every runtime is tried with; escape_test.go has what is this one's own.
func TestEscapes(t *testing.T) {
	h := harness(t)
	runtimetest.Escapes(t, runtimetest.EscapeHarness{
		Harness: h, Probe: built.probe,
		Hidden: func(other identity.WorkspaceID) []string {
			return []string{filepath.Join(filepath.Dir(h.Sockets), "sandbox", "w", other.Label(), "files", "secret")}
		},
	})
}
