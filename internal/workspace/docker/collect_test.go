package docker

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	engineimage "github.com/docker/docker/api/types/image"

	"github.com/lanyardhq/lanyard/test/harness"
)

// An image that was made for workspaces goes when nobody has asked for it for long; others', and those in use, stay.
func TestCollect(t *testing.T) {
	e := harness.Docker(t)
	data, err := os.MkdirTemp("", "dk")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	r, err := New(Config{Data: data, Socket: e.Socket, Transport: http.DefaultTransport, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx := t.Context()
	ids := map[string]string{}
	for _, name := range []string{"lanyard-image/old:1", "lanyard-build/young:1", "lanyard-test/others:1"} {
		ids[name] = imported(ctx, t, r, name)
	}
	// The operator's, which has a name of theirs beside that of a workspace's.
	const shared = "lanyard-test/shared:1"
	ids[shared] = imported(ctx, t, r, shared)
	if err := r.engine.ImageTag(ctx, shared, "lanyard-image/shared:1"); err != nil {
		t.Fatal(err)
	}
	r.made(ids[shared])
	r.made(ids["lanyard-image/old:1"])
	r.collect(ctx, time.Now().Add(time.Minute))
	r.used(ids["lanyard-image/old:1"])
	long := time.Now().Add(-2 * keepUnused)
	for _, name := range []string{"lanyard-image/old:1", shared} {
		if err := os.Chtimes(r.imageFolder(ids[name])+"/"+usedFile, long, long); err != nil {
			t.Fatal(err)
		}
	}
	r.made(ids["lanyard-build/young:1"])
	r.used(ids["lanyard-test/others:1"]) // by a workspace; it was there before
	r.collect(ctx, time.Now().Add(keepUnused-time.Hour))
	for name, stays := range map[string]bool{"lanyard-image/old:1": false, "lanyard-build/young:1": true, "lanyard-test/others:1": true, shared: true, "lanyard-image/shared:1": false} {
		_, err := r.engine.ImageInspect(ctx, name)
		if (err == nil) != stays {
			t.Errorf("%s: %v, want it there %v", name, err, stays)
		}
		_, _ = r.engine.ImageRemove(ctx, name, engineimage.RemoveOptions{}) // some are gone
	}
}

// imported makes an image of one file that is named like it.
func imported(ctx context.Context, t *testing.T, r *Runtime, name string, changes ...string) string {
	t.Helper()
	said, err := r.engine.ImageImport(ctx, engineimage.ImportSource{Source: bytes.NewReader(oneFile(t, name)), SourceName: "-"}, name, engineimage.ImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	b, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(string(b), "sha256:")
	return "sha256:" + id[:64]
}
