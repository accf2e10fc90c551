package docker_test

import (
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// The same for an image whose user is root, and for one of its ordinary users.
func TestEscapes(t *testing.T) {
	for _, user := range []string{"root", "vscode"} {
		t.Run(user, func(t *testing.T) {
			h := suite(t)
			e := harness.Docker(t)
			runtimetest.Escapes(t, runtimetest.EscapeHarness{
				Harness: h, Probe: built.probe, Root: user == "root",
				NoMeans: []string{"vm-read", "pidfd-getfd"}, // the engine's own profile refuses them altogether
				Change:  func(s *workspace.Spec) { s.User = user },
				Hidden: func(other identity.WorkspaceID) []string {
					data := filepath.Join(filepath.Dir(e.Socket), "data")
					return []string{e.Socket, filepath.Join(data, "volumes", "lanyard-"+other.Label()+"-files", "_data", "secret"), filepath.Join(filepath.Dir(e.Socket), "exec", "containerd", "containerd.sock")}
				},
			})
		})
	}
}
