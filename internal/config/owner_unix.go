//go:build unix

package config

import (
	"os"
	"syscall"
)

// GiveLike makes an open file that of the owner and group of another, where whoever runs this may: what root sets up is
// read by the user that Lanyard runs as. The file is not named: whoever may write in its folder could have put a link to
// something else under its name by now.
func GiveLike(f *os.File, other string) error {
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
