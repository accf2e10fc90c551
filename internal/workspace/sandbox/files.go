package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// removeAll removes whatever a workspace's user may have left, also folders without permissions when the server is
// not root and therefore needs them. Links are removed, never followed.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700) // the removal below says what is wrong if this fails
		}
		if err != nil && d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return os.RemoveAll(path)
}

// makeDir makes a folder with exactly that owner and mode; one that is there is corrected.
func makeDir(path string, mode fs.FileMode, uid, gid int) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(path, uid, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}
