package runtimetest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// bounded takes an archive that ends.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > 16<<20 {
		return 0, errors.New("the archive does not end")
	}
	return b.Buffer.Write(p)
}

// What a stopped workspace left is handed out; files of holes are named, and hold nobody up.
func testExport(t *testing.T, s *Server) {
	exporter, ok := s.Runtime.(workspace.Exporter)
	if !ok {
		t.Fatal("it hands out no files")
	}
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.Shell(t, id, `mkdir /workspace/api && cd /workspace/api && echo text >a && truncate -s 1T endless && truncate -s 4K small && ln -s /etc/passwd link && echo last >z`)
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Fatal(err)
	}
	var out bounded
	if err := exporter.Export(Context(t), id, &out); err != nil {
		t.Fatal(err)
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
	if found["workspace/api/a"] != "text\n" || found["workspace/api/z"] != "last\n" || len(found["workspace/api/small"]) != 4<<10 || found["workspace/api/link"] != "/etc/passwd" {
		t.Errorf("the archive holds %.100v", found)
	}
	if left := found["NOT-EXPORTED.txt"]; !strings.HasPrefix(left, `"workspace/api/endless": of its 1099511627776 bytes`) || strings.Count(left, "\n") != 1 {
		t.Errorf("left out: %q", left)
	}
}
