package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// ArchiveOrder says how an image is written for an engine.
type ArchiveOrder struct {
	Name string // for the engine: repository:tag
	Dir  string // for layers on their way
	// Has reports whether the engine has a layer that came from this image's repository before, by the digests of what the registry
	// sends and of what that unpacks to; it is left out then. Nil: it has none.
	Has func(layer, content string) bool
	Say func(step string)
	// Room refuses what there is no room for: so many bytes more, beside what is there by now. It is asked before a layer is fetched,
	// and before it is written with all that the engine has yet to unpack. Nil: there is room.
	Room func(bytes int64) error
}

// Archive fetches an image and writes it as `docker load` reads it
// (https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format). Engines believe an
// image's configuration where it names layers that they have already; so every layer is unpacked here, and is what the configuration
// says.
func (f Found) Archive(ctx context.Context, to io.Writer, o ArchiveOrder) error {
	if err := f.archive(ctx, to, o); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return explain(f.ref, explainDisk(err))
	}
	return nil
}

func (f Found) archive(ctx context.Context, to io.Writer, o ArchiveOrder) error {
	puller, err := remote.NewPuller(f.options...)
	if err != nil {
		return err
	}
	out := tar.NewWriter(to)
	named := tarball.Descriptor{Config: f.manifest.Config.Digest.Hex + ".json", RepoTags: []string{o.Name}}
	if err := put(out, named.Config, f.raw); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.Dir, "layers-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left goes when the next server begins
	written, left := map[string]bool{}, unread{DefaultBounds.Unpacked, DefaultBounds.Entries}
	for i, l := range f.manifest.Layers {
		content := f.config.RootFS.DiffIDs[i]
		name := l.Digest.Hex + "-" + content.Hex + ".tar"
		named.Layers = append(named.Layers, name)
		if written[name] || o.Has != nil && o.Has(l.Digest.String(), content.String()) {
			continue
		}
		if err := o.room(l.Size); err != nil {
			return err
		}
		o.Say(layerName(i, len(f.manifest.Layers), l.Size))
		file := filepath.Join(dir, "layer")
		if err := fetchTo(ctx, puller, f.ref, l, dir, file); err != nil {
			return err
		}
		if err := addLayer(ctx, out, o, name, file, content, &left); err != nil {
			return err
		}
		written[name] = true
	}
	list, err := json.Marshal(tarball.Manifest{named})
	if err != nil {
		return err
	}
	if err := put(out, "manifest.json", list); err != nil {
		return err
	}
	return out.Close()
}

func (o ArchiveOrder) room(bytes int64) error {
	if o.Room == nil {
		return nil
	}
	return o.Room(bytes)
}

// unread is how much more an image may unpack to.
type unread struct {
	bytes   int64
	entries int
}

// addLayer adds a layer that was fetched, once it is known to unpack to its content, and to no more than left, from which it is taken.
// It stays packed where every engine can unpack it.
func addLayer(ctx context.Context, out *tar.Writer, o ArchiveOrder, name, file string, content v1.Hash, left *unread) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { _ = f.Close() })()
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	plain, done, err := decompress(f)
	if err != nil {
		return err
	}
	defer func() { done() }()
	n, err := left.read(plain, content)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	size, from := n, io.Reader(f)
	if strings.HasPrefix(string(head), gzipHead) {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		size = info.Size()
	} else {
		done()
		if from, done, err = decompress(f); err != nil {
			return err
		}
	}
	// The engine keeps what it is given until it has all of it, and unpacks it then.
	if err := o.room(size + DefaultBounds.Unpacked - left.bytes); err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return err
}

// read reads a layer to its end, as the engine will, and says how many bytes it has.
func (u *unread) read(plain io.Reader, content v1.Hash) (int64, error) {
	digest := sha256.New()
	bounded := &limited{r: io.TeeReader(plain, digest), left: u.bytes, bound: DefaultBounds.Unpacked}
	for archive := tar.NewReader(bounded); ; u.entries-- {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := whole(h); err != nil {
			return 0, err
		}
		if u.entries == 0 {
			return 0, problem.New(problem.TooLarge, "The image has more than the %d files that are unpacked.", DefaultBounds.Entries)
		}
	}
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return 0, err
	}
	if !sameHash(digest, content) {
		return 0, errors.New("the content of a layer is not what the image's configuration names")
	}
	n := u.bytes - bounded.left
	u.bytes = bounded.left
	return n, nil
}

// put adds a small file.
func put(out *tar.Writer, name string, b []byte) error {
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b)), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := out.Write(b)
	return err
}
