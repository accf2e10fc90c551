package space

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Ballast = Ballast{}

// Ballast are files that take room while there is enough, so that the server has some of its own to write its database, its log and
// what it notes of workspaces, when somebody was faster than those who look.
type Ballast struct {
	Dir   string // theirs alone
	Size  int64  // of all together
	Files int
}

// Keep makes the files that are not there. Their blocks are given out, though nothing is written.
func (b Ballast) Keep() error {
	if err := os.Mkdir(b.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("ballast: %w", err)
	}
	for n := range b.Files {
		if err := b.keep(filepath.Join(b.Dir, strconv.Itoa(n))); err != nil {
			return fmt.Errorf("ballast: %w", err)
		}
	}
	return nil
}

func (b Ballast) keep(path string) error {
	size := b.Size / int64(b.Files)
	if info, err := os.Stat(path); err == nil && info.Size() == size {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) { // a file system that gives nothing out beforehand: the name is there, its blocks are not
		err = f.Truncate(size)
	}
	return errors.Join(err, f.Close())
}

// Drop removes the files, and says whether there were any.
func (b Ballast) Drop() (dropped bool, err error) {
	left, err := os.ReadDir(b.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(left) == 0 {
		return false, err
	}
	for _, f := range left {
		if err := os.Remove(filepath.Join(b.Dir, f.Name())); err != nil {
			return false, fmt.Errorf("ballast: %w", err)
		}
	}
	return true, nil
}
