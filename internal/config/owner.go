package config

import (
	"os"
	"syscall"
)

// GiveLike makes a file that of the owner and group of another, where whoever runs this may: what root sets up is read by
// the user that Lanyard runs as.
func GiveLike(path, other string) error {
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
