package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// removeTree removes a folder that a workspace's user filled. Links are removed, never followed; and however deep the
// folders are nested, two descriptors and little memory are held, or a user could take all of the server's: each folder
// is moved up into a heap beside the tree before what is in it is looked at.
func removeTree(path string) error {
	heap := path + ".removed" // the parent is the server's, so nobody else has put anything there
	if err := os.Mkdir(heap, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not even the parent is there
		}
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.Chmod(path, 0o700); err != nil { // a folder that may not be written cannot be moved, but by root
			return err
		}
	}
	if err := os.Rename(path, filepath.Join(heap, rand.Text())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	h, err := os.Open(heap)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := empty(h, func(name string) error { return unheap(h, name) }); err != nil {
		return fmt.Errorf("remove what is in %s: %w", path, err)
	}
	return os.Remove(heap)
}

// unheap removes one entry of the heap; the folders in it become entries of the heap.
func unheap(heap *os.File, name string) error {
	folder, err := unlink(heap, name)
	if err != nil || !folder {
		return err
	}
	at := int(heap.Fd())
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d := os.NewFile(uintptr(fd), name)
	defer d.Close()
	err = empty(d, func(name string) error {
		folder, err := unlink(d, name)
		if err != nil || !folder {
			return err
		}
		return unix.Renameat(int(d.Fd()), name, at, rand.Text())
	})
	if err != nil {
		return err
	}
	return unix.Unlinkat(at, name, unix.AT_REMOVEDIR)
}

// unlink removes an entry that is no folder. A folder is made one that can be opened and moved.
func unlink(in *os.File, name string) (folder bool, err error) {
	at := int(in.Fd())
	switch err := unix.Unlinkat(at, name, 0); {
	case err == nil, errors.Is(err, unix.ENOENT):
		return false, nil
	case !errors.Is(err, unix.EISDIR): // what unlink(2) says of a folder on Linux
		return false, err
	}
	if err := unix.Fchmodat(at, name, 0o700, 0); err != nil { // nothing runs that could put a link in its place
		return true, err
	}
	return true, nil
}

// empty calls remove for every entry of a folder until there is none.
func empty(d *os.File, remove func(name string) error) error {
	for {
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return err
		}
		names, err := d.Readdirnames(1000)
		if len(names) == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for _, name := range names {
			if err := remove(name); err != nil {
				return err
			}
		}
	}
}
