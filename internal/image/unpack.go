package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// unpacker lays the layers of one image over each other in a folder. Everything goes through an os.Root: whatever a layer
// says, nothing outside the folder is read or written. Owners are dropped (a workspace of the sandbox has one user, whose all
// of it is), and so are devices, pipes and the bits that give privileges.
type unpacker struct {
	root    *os.Root
	bounds  Bounds
	bytes   int64
	entries int
	names   int                 // bytes of them: paths are kept while a layer is unpacked
	modes   []folderMode        // given at the end, so that a folder nobody may write can be filled
	made    map[string]struct{} // by this layer: what its own whiteouts do not remove
}

type folderMode struct {
	path string
	mode fs.FileMode
}

func newUnpacker(dir string, b Bounds) (*unpacker, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &unpacker{root: root, bounds: b}, nil
}

func (u *unpacker) close() { _ = u.root.Close() }

// layer unpacks one layer, whose content has to be what the image's configuration says.
func (u *unpacker) layer(ctx context.Context, file string, want v1.Hash) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { _ = f.Close() })()
	plain, done, err := decompress(f)
	if err != nil {
		return err
	}
	defer done()
	u.made = map[string]struct{}{}
	digest := sha256.New()
	// What is over the bound of bytes is not even read: a file of zeros packs to nothing.
	all := &limited{r: io.TeeReader(plain, digest), left: u.bounds.Unpacked - u.bytes + int64(u.bounds.Entries)*1024, bound: u.bounds.Unpacked}
	archive := tar.NewReader(all)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if u.entries++; u.entries > u.bounds.Entries {
			return problem.New(problem.TooLarge, "The image has more than the %d files that are unpacked.", u.bounds.Entries)
		}
		if u.names += len(h.Name) + len(h.Linkname); u.names > u.bounds.Entries*longName {
			return problem.New(problem.TooLarge, "The names of the image's files are longer than %d bytes together, which are not unpacked.", u.bounds.Entries*longName)
		}
		if err := whole(h); err != nil {
			return err
		}
		if err := u.entry(h, archive); err != nil {
			return fmt.Errorf("%.200q: %w", h.Name, withoutPlace(err))
		}
	}
	if _, err := io.Copy(io.Discard, all); err != nil { // to the end, for the digest
		return err
	}
	if !sameHash(digest, want) {
		return errors.New("its content is not what the image's configuration names")
	}
	return nil
}

// longName is how long the names of an image's files may be on average.
const longName = 128

// whole refuses a file of which the archive holds a part only, and says how long it is: what has 8 TiB in one block of an archive would
// be that long on the disk of whoever unpacks it, which engines do to the end.
func whole(h *tar.Header) error {
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	if sparse {
		return problem.New(problem.Invalid, "The image holds the file %.200q as a sparse one, without its empty parts, and such files are not unpacked. Build the image anew, with a tool that writes whole files.", h.Name)
	}
	return nil
}

// withoutPlace takes the folder of the store out of an error: what a person sees names the image's path alone.
func withoutPlace(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

// limited is a reader that ends a bomb.
type limited struct {
	r     io.Reader
	left  int64
	bound int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, problem.New(problem.TooLarge, "The image unpacks to more than %d bytes, which is not done.", l.bound)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// gzipHead begins what gzip packed (RFC 1952, section 2.3.1).
const gzipHead = "\x1f\x8b"

// decompress looks at the first bytes, as every engine does: media types are often wrong.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 1<<16)
	head, _ := b.Peek(4) // too short is no archive, which the next reader says
	switch {
	case bytes.HasPrefix(head, []byte(gzipHead)):
		z, err := gzip.NewReader(b)
		return z, func() {}, err
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}

// Whiteouts (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if strings.ContainsRune(h.Name, 0) || len(h.Name) > 4096 {
		return errors.New("its name is not one of a file")
	}
	dir, base := path.Split(path.Clean("/" + h.Name))
	if base == "" { // the root itself
		if h.Typeflag == tar.TypeDir {
			u.modes = append(u.modes, folderMode{".", folder(h)})
		}
		return nil
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil // a workspace has devices of its own
	}
	parent, err := u.parent(dir)
	if err != nil {
		return err
	}
	at := path.Join(parent, base)
	if base == opaque {
		return u.removeLower(parent)
	}
	if name, ok := strings.CutPrefix(base, whiteout); ok {
		if name == "" || name == "." || name == ".." || strings.HasPrefix(name, whiteout) { // marks of old engines
			return nil
		}
		return u.removeLower(path.Join(parent, name))
	}
	return u.place(at, h, content)
}

// place puts an entry at a path whose parent is there and holds no link.
func (u *unpacker) place(at string, h *tar.Header, content io.Reader) error {
	info, err := u.root.Lstat(at)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if there && !(info.IsDir() && h.Typeflag == tar.TypeDir) {
		if err := u.root.RemoveAll(at); err != nil {
			return err
		}
	}
	u.note(at)
	switch h.Typeflag {
	case tar.TypeDir:
		u.modes = append(u.modes, folderMode{at, folder(h)})
		if there && info.IsDir() {
			return nil
		}
		return u.root.Mkdir(at, 0o755)
	case tar.TypeReg:
		return u.file(at, h, content)
	case tar.TypeSymlink:
		return u.root.Symlink(h.Linkname, at) // may lead anywhere: it is followed inside a workspace alone
	case tar.TypeLink:
		dir, base := path.Split(path.Clean("/" + h.Linkname))
		parent, err := u.resolve(dir)
		if err != nil {
			return err
		}
		return u.root.Link(path.Join(parent, base), at)
	}
	return fmt.Errorf("an entry of type %q", h.Typeflag)
}

func (u *unpacker) file(at string, h *tar.Header, content io.Reader) error {
	if h.Size > u.bounds.Unpacked-u.bytes {
		return problem.New(problem.TooLarge, "The image unpacks to more than %d bytes, which is not done.", u.bounds.Unpacked)
	}
	u.bytes += h.Size
	f, err := u.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err == nil {
		// Its one user may read and write it, whoever was meant to.
		err = f.Chmod(fs.FileMode(h.Mode)&0o777 | 0o600)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && !h.ModTime.IsZero() {
		err = u.root.Chtimes(at, h.ModTime, h.ModTime)
	}
	return err
}

func folder(h *tar.Header) fs.FileMode {
	mode := fs.FileMode(h.Mode)&0o777 | 0o700
	if h.Mode&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// note remembers that this layer made a path, and so every folder above it.
func (u *unpacker) note(at string) {
	for ; at != "."; at = path.Dir(at) {
		if _, known := u.made[at]; known {
			return
		}
		u.made[at] = struct{}{}
	}
}

// removeLower removes what earlier layers have at a path, or in it if this layer made something there.
func (u *unpacker) removeLower(at string) error {
	_, ours := u.made[at]
	if !ours && at != "." {
		return u.root.RemoveAll(at)
	}
	info, err := u.root.Lstat(at)
	if err != nil || !info.IsDir() {
		return nil // this layer's own file stays
	}
	d, err := u.root.Open(at)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		if err == nil {
			err = u.removeLower(path.Join(at, name))
		}
	}
	return err
}

// finish gives folders their modes, the deepest first.
func (u *unpacker) finish() error {
	slices.Reverse(u.modes)
	done := make(map[string]bool, len(u.modes))
	for _, m := range u.modes {
		if done[m.path] { // the last layer that names it says
			continue
		}
		done[m.path] = true
		if now, err := u.resolve(m.path); err != nil || now != m.path {
			continue // a later layer has a link in its place, or above it
		}
		info, err := u.root.Lstat(m.path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
			continue // a later layer removed or replaced it
		}
		if err == nil {
			err = u.root.Chmod(m.path, m.mode)
		}
		if err != nil {
			return withoutPlace(err)
		}
	}
	return nil
}
