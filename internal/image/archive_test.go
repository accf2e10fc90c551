package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// What an engine is given holds no more files than what a sandbox unpacks, and is refused where there is no room for it.
func TestAttack27ImagesForEngines(t *testing.T) {
	layer := imagetest.Layer(t, imagetest.File{Name: "a", Body: strings.Repeat("a", 100_000)}, imagetest.File{Name: "b"}, imagetest.File{Name: "c"})
	content, err := layer.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(all))
	for _, c := range []struct {
		left unread
		kind problem.Kind
	}{{unread{size + 1, 3}, problem.Internal}, {unread{size + 1, 2}, problem.TooLarge}, {unread{size - 1, 3}, problem.TooLarge}} {
		left := c.left
		n, err := left.read(bytes.NewReader(all), content)
		if c.kind == problem.Internal && (err != nil || n != size || left.bytes != 1 || left.entries != 0) || c.kind != problem.Internal && problem.KindOf(err) != c.kind {
			t.Errorf("%+v: %d, %v, left %+v", c.left, n, err, left)
		}
	}

	registry := imagetest.Serve(t, "", "")
	ref, err := ParseReference(registry.Push(t, "team/large:1", imagetest.Image(t, v1.Config{}, layer)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAsker(http.DefaultTransport, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := a.Find(t.Context(), ref, "", "")
	if err != nil {
		t.Fatal(err)
	}
	full := problem.New(problem.Unavailable, "no room")
	dir := t.TempDir()
	archive := func(room func(int64) error) error {
		return found.Archive(context.WithoutCancel(t.Context()), io.Discard, ArchiveOrder{Name: "x:1", Dir: dir, Say: func(string) {}, Room: room})
	}
	var asked []int64
	if err := archive(func(n int64) error { asked = append(asked, n); return nil }); err != nil || len(asked) != 2 || asked[0] >= size || asked[1] <= size {
		t.Errorf("%v: %v", asked, err)
	}
	for _, most := range []int64{0, size} {
		err := archive(func(n int64) error {
			if n > most {
				return full
			}
			return nil
		})
		if !errors.Is(err, full) {
			t.Errorf("with room for %d: %v", most, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
