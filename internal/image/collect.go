package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

// CollectOrder says what may go.
type CollectOrder struct {
	// Used are the folders (workspace.Image.Path) that workspaces have mounted or will mount.
	Used []string
	// Age is how long an image is kept after its last use.
	Age time.Duration
	// Size is how many bytes of files are kept; the longest unused go first. 0: any number.
	Size int64
}

// Collect removes images, and layers as sent, that nobody uses. While one is being pulled it does nothing. It returns how
// many bytes it freed.
func (s *Store) Collect(ctx context.Context, o CollectOrder) (freed int64, err error) {
	if !s.using.TryLock() {
		return 0, nil
	}
	defer s.using.Unlock()
	used := map[string]bool{}
	for _, p := range o.Used {
		used[filepath.Dir(p)] = true
	}
	var all []kept
	for _, kind := range []string{"files", "blobs"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, kind))
		if err != nil {
			return 0, fmt.Errorf("image: collect: %w", err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				return 0, fmt.Errorf("image: collect: %w", err)
			}
			k := kept{path: filepath.Join(s.dir, kind, e.Name()), last: info.ModTime()}
			if k.used = used[k.path]; o.Size > 0 {
				k.size = sizeOf(ctx, k.path)
			}
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return a.last.Compare(b.last) })
	var sum int64
	for _, k := range all {
		sum += k.size
	}
	for _, k := range all {
		if ctx.Err() != nil {
			return freed, context.Cause(ctx)
		}
		if k.used || s.now().Sub(k.last) < o.Age && (o.Size == 0 || sum <= o.Size) {
			continue
		}
		if o.Size == 0 {
			k.size = sizeOf(ctx, k.path)
		}
		if err := s.discard(k.path); err != nil {
			return freed, fmt.Errorf("image: collect: %w", err)
		}
		sum -= k.size
		freed += k.size
		s.log.Info("image removed", "path", k.path, "bytes", k.size, "last_use", k.last)
	}
	return freed, nil
}

type kept struct {
	path string
	last time.Time
	size int64
	used bool
}

// sizeOf is how many bytes of disk a file, or what lies in a folder, takes.
func sizeOf(ctx context.Context, path string) int64 {
	return space.Of(ctx, []string{path}, workspace.DiskUse{}).Bytes
}

// discard removes in two steps: a server that dies in between leaves nothing half removed under its name.
func (s *Store) discard(path string) error {
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "gone-")
	if err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(dir, "x")); err != nil {
		return err
	}
	return removeAll(dir)
}
