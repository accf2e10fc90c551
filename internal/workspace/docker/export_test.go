package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// Where the engine reads for a server that may not, an archive ends before the file that claims more than the disk has.
func TestAttack27EnginesArchiveEnds(t *testing.T) {
	var sent bytes.Buffer
	in := tar.NewWriter(&sent)
	for _, f := range []struct {
		name string
		size int64
	}{{"workspace/a", 600}, {"workspace/b", 300}, {"workspace/c", 1 << 40}} {
		if err := in.WriteHeader(&tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: f.size}); err != nil {
			t.Fatal(err)
		}
		if f.size < 1<<20 {
			if _, err := in.Write(make([]byte, f.size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	endless := io.MultiReader(&sent, never{t})
	var got bytes.Buffer
	if err := passOn(endless, &got, 1000); err != nil {
		t.Fatal(err)
	}
	var names []string
	var last []byte
	for out := tar.NewReader(&got); ; {
		h, err := out.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if last, err = io.ReadAll(out); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(names, " ") != "workspace/a workspace/b NOT-EXPORTED.txt" || !strings.HasPrefix(string(last), `"workspace/c": it claims 1099511627776 bytes`) {
		t.Errorf("%q %q", names, last)
	}
}

// never is not to be read.
type never struct{ t *testing.T }

func (n never) Read(p []byte) (int, error) {
	n.t.Error("the file of holes is read")
	return 0, io.ErrUnexpectedEOF
}
