package space

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// What is counted of a workspace at most: whoever writes the files chooses how many there are, and how deep.
const (
	maxNames  = 5_000_000
	maxDepth  = 512       // folders in folders, each a descriptor while it is walked through
	maxLinked = 1_000_000 // files with several names, of which it is remembered that they were counted
	batch     = 200       // names that are read at a time: all of a folder may be more than there is memory for
)

// bounds are how far a walk goes.
type bounds struct{ names, depth, linked int }

// counting is a walk through folders that somebody else may change meanwhile. Each is opened from the one that it lies in, and links
// are not followed, so that no walk leads out of where it began; nor does it enter another file system.
type counting struct {
	ctx    context.Context //nolint:containedctx // of one walk
	most   workspace.DiskUse
	bounds bounds
	use    workspace.DiskUse
	names  int
	linked map[[2]uint64]struct{}
}

// ended reports whether there is nothing more to count.
func (c *counting) ended() bool { return c.use.More || c.use.Beyond(c.most) || c.ctx.Err() != nil }

// tree counts a file, or a folder with all that is in it.
func (c *counting) tree(path string) {
	var st unix.Stat_t
	if c.ended() || unix.Lstat(path, &st) != nil {
		return
	}
	c.count(&st)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		c.enter(unix.AT_FDCWD, path, st.Dev, c.bounds.depth)
	}
}

// enter counts what is in a folder of that device.
func (c *counting) enter(at int, name string, device uint64, depth int) {
	if depth == 0 {
		c.use.More = true
		return
	}
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return // it is gone, is a link by now, or may not be read
	}
	folder := os.NewFile(uintptr(fd), name)
	defer folder.Close()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Dev != device {
		return
	}
	for {
		names, err := folder.Readdirnames(batch)
		for _, name := range names {
			if c.ended() {
				return
			}
			c.entry(fd, name, device, depth)
		}
		if err != nil || len(names) == 0 { // mostly io.EOF
			return
		}
	}
}

func (c *counting) entry(at int, name string, device uint64, depth int) {
	if c.names++; c.names > c.bounds.names {
		c.use.More = true
		return
	}
	var st unix.Stat_t
	if unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT) != nil || st.Dev != device {
		return
	}
	c.count(&st)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		c.enter(at, name, device, depth-1)
	}
}

// count adds a file, once if it has several names.
func (c *counting) count(st *unix.Stat_t) {
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		key := [2]uint64{st.Dev, st.Ino}
		if _, seen := c.linked[key]; seen {
			return
		}
		if len(c.linked) >= c.bounds.linked {
			c.use.More = true
			return
		}
		c.linked[key] = struct{}{}
	}
	c.use.Bytes += st.Blocks * 512 // stat(2)
	c.use.Files++
}
