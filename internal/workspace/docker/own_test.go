package docker

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder is given to its user as it is: a link to another one is not followed.
func TestOwnFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	folder, link := filepath.Join(dir, "folder"), filepath.Join(dir, "link")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	if err := own(link, os.Geteuid(), os.Getegid()); err == nil || ownedBy(link, os.Geteuid()) {
		t.Error("a link is taken for a folder:", err)
	}
	if err := own(folder, os.Geteuid(), os.Getegid()); err != nil {
		t.Fatal(err)
	}
	var s unix.Stat_t
	if err := unix.Lstat(folder, &s); err != nil || s.Mode&0o777 != 0o755 {
		t.Errorf("%o %v", s.Mode, err)
	}
	if !ownedBy(folder, os.Geteuid()) || ownedBy(folder, os.Geteuid()+1) || ownedBy(filepath.Join(dir, "none"), os.Geteuid()) {
		t.Error("whose it is")
	}
}
