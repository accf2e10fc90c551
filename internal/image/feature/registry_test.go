package feature

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// shelf is a real registry on loopback.
type shelf struct {
	t    *testing.T
	host string
}

// newShelf serves a registry; with a password where password is not empty.
func newShelf(t *testing.T, password string) shelf {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); password != "" && r.Method == http.MethodGet && given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="features"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return shelf{t, strings.TrimPrefix(server.URL, "http://")}
}

// push publishes a feature as the specification's tools do, and returns its digest.
func (s shelf) push(ref string, files map[string]string) string {
	s.t.Helper()
	return s.pushArchive(ref, archive(s.t, files), "application/vnd.devcontainers.layer.v1+tar")
}

func (s shelf) pushArchive(ref string, content []byte, media types.MediaType) string {
	s.t.Helper()
	layer := static.NewLayer(content, media)
	im, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.devcontainers"), mutate.Addendum{Layer: layer})
	if err != nil {
		s.t.Fatal(err)
	}
	parsed, err := name.ParseReference(s.host + "/" + ref)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := remote.Write(parsed, im, remote.WithContext(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
	digest, err := im.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	return digest.String()
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o755, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// simple is a feature that does little; more are further properties.
func simple(id string, more string) map[string]string {
	return map[string]string{
		"devcontainer-feature.json": fmt.Sprintf("{\"id\": %q, \"version\": \"1.0.0\" /* said once */%s}", id, more),
		"install.sh":                "#!/bin/sh\nset -e\necho " + id + "\n",
	}
}

func folders(t *testing.T, all map[string]map[string]string) func(context.Context, string) (io.ReadCloser, error) {
	return func(_ context.Context, path string) (io.ReadCloser, error) {
		files, ok := all[path]
		if !ok {
			return nil, fmt.Errorf("no folder %s", path)
		}
		return io.NopCloser(bytes.NewReader(archive(t, files))), nil
	}
}
