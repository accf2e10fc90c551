package machine

import (
	"io/fs"
	"syscall"
)

// owner is the user of a file.
func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
