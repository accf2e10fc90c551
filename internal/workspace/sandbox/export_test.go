package sandbox

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
	found := exported(t, r, id)
	if len(found) != 6 || found["workspace/api/a"] != "text" || found["workspace/link"] != secret || found["workspace/up"] != "../../../.." {
		t.Errorf("the archive holds %v", found)
	}
}

// Nobody keeps their files from an administrator by a file that never ends, or by a folder that nobody may read.
func TestAttack27ExportEnds(t *testing.T) {
	if os.Geteuid() == 0 { // who may read everything
		asOrdinaryUser(t, "TestAttack27ExportEnds", "TestAttack27ExportEnds")
	}
	r, err := New(Config{Data: t.TempDir(), AgentPath: "/bin/true", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	id := identity.NewWorkspaceID()
	files := filepath.Join(r.dir(id), "files")
	if err := os.MkdirAll(filepath.Join(files, "closed"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "closed/b", "endless", "small", "secret"} {
		if err := os.WriteFile(filepath.Join(files, name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string]int64{"endless": 1 << 42, "small": 4 << 10} {
		if err := os.Truncate(filepath.Join(files, name), size); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"closed", "secret"} {
		if err := os.Chmod(filepath.Join(files, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(files, "closed"), 0o700) }) // or the test's folder cannot be removed
	found := exported(t, r, id)
	if found["workspace/a"] != "text" || len(found["workspace/small"]) != 4<<10 {
		t.Errorf("the archive holds %d files", len(found))
	}
	left := found["NOT-EXPORTED.txt"]
	if !strings.Contains(left, `"workspace/endless": of its 4398046511104 bytes`) || os.Geteuid() != 0 && (!strings.Contains(left, `"workspace/closed": it cannot be read`) || !strings.Contains(left, `"workspace/secret": it cannot`)) {
		t.Errorf("left out: %s", left)
	}
}

// exported is what the archive of a workspace holds: of links where they lead.
func exported(t *testing.T, r *Runtime, id identity.WorkspaceID) map[string]string {
	t.Helper()
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
	return found
}
