package tunnel_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// Workspaces of an engine may run under the number of a user of this machine, who must not reach their sockets.
func TestHiddenSockets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	for _, hidden := range []bool{false, true, false} {
		h := tunnel.NewHub(tunnel.HubConfig{Dir: dir, Handler: http.NotFoundHandler(), Hidden: hidden, Log: slog.New(slog.DiscardHandler)})
		if _, err := h.Listen(t.Context(), identity.NewWorkspaceID(), os.Geteuid()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if open := info.Mode().Perm()&0o077 != 0; open == hidden {
			t.Errorf("hidden %v: %v", hidden, info.Mode())
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
