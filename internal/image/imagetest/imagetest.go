// Package imagetest runs a registry of images on loopback, and makes images for it.
package imagetest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Registry is a registry that runs until its test ends.
type Registry struct {
	Host           string // 127.0.0.1:port
	User, Password string // empty: anybody may pull and push
	// Blobs counts the requests for layers and configurations that were answered.
	Blobs atomic.Int64
	// Spoil, if it is set, may answer a request instead of the registry, and says whether it did.
	Spoil atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

// Serve starts a registry; with a user it asks for that user's password.
func Serve(t testing.TB, user, password string) *Registry {
	t.Helper()
	r := &Registry{User: user, Password: password}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir())))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if u, p, _ := q.BasicAuth(); user != "" && (u != user || p != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "who is it?", http.StatusUnauthorized)
			return
		}
		if spoil := r.Spoil.Load(); spoil != nil && (*spoil)(w, q) {
			return
		}
		if q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/") {
			r.Blobs.Add(1)
		}
		store.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Push puts an image (or an index of some) there under a name such as "team/image:tag", and returns its whole name.
func (r *Registry) Push(t testing.TB, as string, im remote.Taggable) string {
	t.Helper()
	ref, err := name.ParseReference(r.Host + "/" + as)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	err = remote.Push(ref, im, remote.WithContext(t.Context()), remote.WithTransport(transport), remote.WithAuth(&authn.Basic{Username: r.User, Password: r.Password}))
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}

// File is an entry of a layer. A zero Type is a file, or a folder when its name ends in a slash.
type File struct {
	Name, Body, Link string
	Type             byte
	Mode             int64
	UID              int
	Size             int64 // what its header claims; 0: as long as Body
}

// Layer makes a layer of entries, in their order.
func Layer(t testing.TB, files ...File) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Linkname: f.Link, Typeflag: f.Type, Mode: f.Mode, Uid: f.UID, Size: max(f.Size, int64(len(f.Body))), Format: tar.FormatPAX}
		switch {
		case f.Type == 0 && strings.HasSuffix(f.Name, "/"):
			h.Typeflag = tar.TypeDir
		case f.Type == 0:
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return Bytes(t, b.Bytes())
}

// Bytes makes a layer of the bytes of a tar, or of what is to be taken for one.
func Bytes(t testing.TB, b []byte) v1.Layer {
	t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// Image makes an image for this machine's processor.
func Image(t testing.TB, c v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	im, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := im.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, c
	if im, err = mutate.ConfigFile(im, file); err != nil {
		t.Fatal(err)
	}
	return im
}

// FromTar makes an image of the tar of a machine's files, such as the base image of the tests.
func FromTar(t testing.TB, path string, c v1.Config) v1.Image {
	t.Helper()
	return Image(t, c, plain(t, path))
}

func plain(t testing.TB, path string) v1.Layer {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	digest, size, err := v1.SHA256(f)
	if err != nil {
		t.Fatal(err)
	}
	return plainLayer{path, digest, size}
}

// plainLayer is a layer that is sent as it is: packing a machine's files takes longer than all that is tested with them.
type plainLayer struct {
	path   string
	digest v1.Hash
	size   int64
}

func (l plainLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l plainLayer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l plainLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l plainLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l plainLayer) Size() (int64, error)                 { return l.size, nil }
func (l plainLayer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }

// Part makes a layer of those entries of a tar whose names, without "./", are wanted.
func Part(t testing.TB, path string, want func(name string) bool) v1.Layer {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.CreateTemp(t.TempDir(), "part")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := tar.NewWriter(out)
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !want(strings.TrimPrefix(h.Name, "./")) {
			continue
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return plain(t, out.Name())
}
