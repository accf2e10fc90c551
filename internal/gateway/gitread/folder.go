package gitread

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Whole is a folder with all below it, in memory. Several goroutines may use it.
type Whole struct {
	id      string
	objects map[string]object
}

// Whole fetches a folder with all below it.
func (c *Commit) Whole(folder string) (*Whole, error) {
	e, err := c.Find(folder)
	if err != nil {
		return nil, err
	}
	if e.Mode != Folder {
		return nil, ErrAbsent
	}
	all, err := c.fetch([]string{e.ID}, "", maxFolder)
	if errors.Is(err, errTooLarge) {
		return nil, problem.Wrap(err, problem.Invalid, "The folder %q of %s holds more than %d MiB or %d files, which is the most that Lanyard gives to a build. Build from a smaller folder.", folder, c.text, maxFolder>>20, maxEntries)
	}
	if err != nil {
		return nil, err
	}
	return &Whole{id: e.ID, objects: all}, nil
}

// Tar writes the folder as a tar stream, for a build: files, executables and symbolic links as they are, submodules as
// empty folders. Nothing in it depends on when it is written. Who reads it may stop anywhere.
func (f *Whole) Tar(to io.Writer) error {
	w := &tarring{to: tar.NewWriter(to), objects: f.objects, size: len(f.id) / 2}
	if err := w.folder("", f.id, 0); err != nil {
		return fmt.Errorf("pack a folder of a commit: %w", err)
	}
	return w.to.Close()
}

// Stream is Tar for who reads.
func (f *Whole) Stream() io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(f.Tar(w)) }() // ends at the latest when r is closed
	return r
}

type tarring struct {
	to      *tar.Writer
	objects map[string]object
	size    int
	entries int
	bytes   int
}

const maxDepth = 100

func (w *tarring) folder(at, id string, depth int) error {
	o, ok := w.objects[id]
	if !ok || o.kind != treeKind || depth > maxDepth {
		return errTree
	}
	all, err := parseTree(o.data, w.size)
	if err != nil {
		return err
	}
	for _, e := range all {
		if w.entries++; w.entries > maxEntries { // a tree may hold another one many times
			return errTooLarge
		}
		name := path.Join(at, e.Name)
		head := &tar.Header{Name: name, ModTime: time.Unix(0, 0), Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		content := w.objects[e.ID].data
		switch e.Mode {
		case Folder, Submodule:
			head.Name, head.Typeflag, head.Mode, content = name+"/", tar.TypeDir, 0o755, nil
		case Link:
			head.Typeflag, head.Linkname, head.Mode, content = tar.TypeSymlink, string(content), 0o777, nil
		case Executable:
			head.Mode = 0o755
		}
		if head.Typeflag == tar.TypeReg && w.objects[e.ID].kind != blobKind {
			return errors.New("the Git server left a file out")
		}
		head.Size = int64(len(content))
		if w.bytes += len(name) + len(content); w.bytes > maxFolder { // and a file too
			return errTooLarge
		}
		if err := w.to.WriteHeader(head); err != nil {
			return err
		}
		if _, err := w.to.Write(content); err != nil {
			return err
		}
		if e.Mode == Folder {
			if err := w.folder(name, e.ID, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
