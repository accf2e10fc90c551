package sandbox

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// What a workspace leaves is exported as it is: a link out of it is named, and what it leads to is not read.
func TestAttack30ExportFollowsNoLink(t *testing.T) {
	r, err := New(Config{Data: t.TempDir(), AgentPath: "/bin/true", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	id := identity.NewWorkspaceID()
	files := filepath.Join(r.dir(id), "files")
	if err := os.MkdirAll(filepath.Join(files, "api", "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{secret: "hunter2", filepath.Join(files, "api", "a"): "text"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": secret, "folder": filepath.Dir(secret), "up": "../../../.."} {
		if err := os.Symlink(to, filepath.Join(files, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(files, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Export(t.Context(), id, &out); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte("hunter2")) {
		t.Error("the archive holds what lies elsewhere")
	}
	found := map[string]string{}
	for archive := tar.NewReader(&out); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(text) + h.Linkname
	}
	if len(found) != 6 || found["workspace/api/a"] != "text" || found["workspace/link"] != secret || found["workspace/up"] != "../../../.." {
		t.Errorf("the archive holds %v", found)
	}
}
