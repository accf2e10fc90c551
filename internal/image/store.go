// Package image keeps the files of OCI images: pulled from a registry, checked against their digests and unpacked into
// folders that workspaces share and nobody writes to.
//
// Below its folder:
//
//	blobs/<hex>         a layer as the registry sent it
//	files/<hex>/root    the unpacked files of an image
//	files/<hex>/config  what the image says of itself
//	tmp/                what is being made
//
// The names are SHA-256 sums of repository@digest, with the registry's host: a digest is no secret, and a registry of
// somebody's own may name any, so what one repository gave is not taken for another's.
//
// Whoever wants an image asks the registry for it, with a credential of their own, also when its files are here: that one
// person could pull it is no reason to give it to another.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Config is what New needs.
type Config struct {
	Dir string // made if it is missing
	// Transport reaches registries. It decides which addresses may be dialled.
	Transport http.RoundTripper
	// Plain are registry hosts, with port, that may be spoken to without TLS beside loopback ones.
	Plain  []string
	Bounds Bounds // zero fields are DefaultBounds
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Bounds end an image that would fill the machine.
type Bounds struct {
	Layers     int   // of one image
	Compressed int64 // bytes of all layers as sent
	Unpacked   int64 // bytes of all files
	Entries    int   // files, folders and links
}

// DefaultBounds let the largest images pass that are in use for development.
var DefaultBounds = Bounds{Layers: 256, Compressed: 32 << 30, Unpacked: 64 << 30, Entries: 4 << 20}

// Store is the folder of images.
type Store struct {
	dir    string
	web    http.RoundTripper
	plain  map[string]bool
	bounds Bounds
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	pulling map[string]*flight // by repository and manifest digest, and by layer
	slots   Slots              // one for each image that is being made
	using   sync.RWMutex       // held to write while files are removed
}

// New returns a Store and removes what an earlier process left half made.
func New(c Config) (*Store, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if c.Transport == nil {
		return nil, errors.New("image: no transport")
	}
	s := &Store{dir: dir, web: c.Transport, plain: map[string]bool{}, bounds: c.Bounds.orDefault(), log: c.Log, now: c.Now, pulling: map[string]*flight{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, host := range c.Plain {
		s.plain[strings.ToLower(host)] = true
	}
	if err := removeAll(filepath.Join(dir, "tmp")); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	// 0700: an image may hold programs with privileges that only mean something inside a workspace.
	for _, d := range []string{dir, filepath.Join(dir, "blobs"), filepath.Join(dir, "files"), filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return s, nil
}

func (b Bounds) orDefault() Bounds {
	if b.Layers == 0 {
		b.Layers = DefaultBounds.Layers
	}
	if b.Compressed == 0 {
		b.Compressed = DefaultBounds.Compressed
	}
	if b.Unpacked == 0 {
		b.Unpacked = DefaultBounds.Unpacked
	}
	if b.Entries == 0 {
		b.Entries = DefaultBounds.Entries
	}
	return b
}

// folder is where the image with that manifest digest (sha256:…) of ref's repository is, or will be.
func (s *Store) folder(ref Reference, digest string) (string, error) {
	name, ok := strings.CutPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(name); !ok || err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("image: %q is no SHA-256 digest", digest)
	}
	return filepath.Join(s.dir, "files", keyOf(ref, digest)), nil
}

// blob is where a layer of ref's repository is, or will be.
func (s *Store) blob(ref Reference, h v1.Hash) string {
	return filepath.Join(s.dir, "blobs", keyOf(ref, h.String()))
}

func keyOf(ref Reference, digest string) string {
	sum := sha256.Sum256([]byte(ref.At(digest)))
	return hex.EncodeToString(sum[:])
}

// removeAll removes what images may leave: also folders that nobody may write, when the server is not root.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700) // the removal below says what is wrong if this fails
		}
		return nil
	})
	return os.RemoveAll(path)
}
