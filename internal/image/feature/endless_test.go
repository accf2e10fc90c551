package feature

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// A feature whose archive has no size, or another than its manifest names, is not read without end.
func TestAttack27FeaturesWithoutEnd(t *testing.T) {
	const tooMuch = 96 << 20
	sum := sha256.Sum256([]byte("x"))
	for _, size := range []int64{-1, 1 << 10} {
		var sent atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/manifests/"):
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.devcontainers","size":2,"digest":"sha256:%[1]s"},
					"layers":[{"mediaType":"application/vnd.devcontainers.layer.v1+tar","size":%[2]d,"digest":"sha256:%[1]s"}]}`, hex.EncodeToString(sum[:]), size)
			case strings.Contains(r.URL.Path, "/blobs/"):
				_, _ = w.Write(archive(t, simple("a", "")))
				for b := make([]byte, 1<<20); sent.Load() < tooMuch; {
					n, err := w.Write(b)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}
		}))
		_, err := New(Config{Transport: http.DefaultTransport}).Prepare(t.Context(), Order{Features: []devfile.Feature{{Ref: strings.TrimPrefix(s.URL, "http://") + "/a:1"}}}, nil)
		s.Close()
		if err == nil || sent.Load() >= tooMuch || len(err.Error()) > 1000 {
			t.Errorf("size %d: %d MiB were read, %v", size, sent.Load()>>20, err)
		}
	}
}

// Features that are too large together are not all read before that is said.
func TestAttack27FeaturesTogether(t *testing.T) {
	files := simple("a", "")
	files["large"] = strings.Repeat("x", 30<<20)
	packed := archive(t, files)
	o, asked := Order{Base: base}, 0
	for i := range maxAll {
		o.Features = append(o.Features, devfile.Feature{Ref: fmt.Sprintf("./f%d", i)})
	}
	o.Folder = func(context.Context, string) (io.ReadCloser, error) {
		asked++
		return io.NopCloser(bytes.NewReader(packed)), nil
	}
	_, err := installer("").Prepare(t.Context(), o, func(string) {})
	if problem.KindOf(err) != problem.TooLarge || asked > 5 {
		t.Errorf("%d were read: %v", asked, err)
	}
}
