package image

import (
	"context"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Size is how many bytes of disk the files below a path take. What cannot be read, or goes meanwhile, counts as nothing.
func Size(ctx context.Context, path string) int64 {
	var sum int64
	seen := map[[2]uint64]bool{} // files with several names
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		if st.Nlink > 1 && !d.IsDir() {
			key := [2]uint64{uint64(st.Dev), st.Ino}
			if seen[key] {
				return nil
			}
			seen[key] = true
		}
		sum += st.Blocks * 512
		return nil
	})
	return sum
}
