// Package space is what runtimes of one machine ask its file systems: how much is free, what files take, and who writes.
package space

import (
	"context"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Of is what files, and the files below folders, take: blocks as the file system gave them out, files of several names once. What
// cannot be read, or goes meanwhile, counts as nothing. It ends as soon as it has found more than most, and with More where there
// are more files, or deeper folders, than are ever counted.
func Of(ctx context.Context, paths []string, most workspace.DiskUse) workspace.DiskUse {
	return of(ctx, paths, most, bounds{maxNames, maxDepth, maxLinked})
}

func of(ctx context.Context, paths []string, most workspace.DiskUse, b bounds) workspace.DiskUse {
	c := counting{ctx: ctx, most: most, bounds: b, linked: map[[2]uint64]struct{}{}}
	for _, path := range paths {
		c.tree(path)
	}
	return c.use
}

// At is the file system that a path lies on (statfs(2)). What only root may take is not free.
func At(path string) (workspace.Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return workspace.Space{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return workspace.Space{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return workspace.Space{
		Path: path, Device: uint64(st.Dev), Size: int64(s.Blocks) * s.Bsize, Free: int64(s.Bavail) * s.Bsize,
		Files: int64(s.Files), FreeFiles: int64(s.Ffree),
	}, nil
}

// Each is the file systems of some paths, each once.
func Each(paths ...string) ([]workspace.Space, error) {
	var all []workspace.Space
	seen := map[uint64]bool{}
	for _, path := range paths {
		s, err := At(path)
		if err != nil {
			return nil, err
		}
		if !seen[s.Device] {
			seen[s.Device] = true
			all = append(all, s)
		}
	}
	return all, nil
}
