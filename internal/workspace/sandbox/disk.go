package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

var _ workspace.Disk = (*Runtime)(nil)

// Spaces implements workspace.Disk: all lies below the data folder.
func (r *Runtime) Spaces(context.Context) ([]workspace.Space, error) {
	s, err := space.At(filepath.Dir(r.root))
	s.Holds = true
	return []workspace.Space{s}, err
}

// DiskUse implements workspace.Disk.
func (r *Runtime) DiskUse(ctx context.Context, id identity.WorkspaceID, most workspace.DiskUse) (workspace.DiskUse, error) {
	dir := r.dir(id)
	var parts []string
	for _, part := range []string{"home", "files", "volumes", "over/fs"} {
		parts = append(parts, filepath.Join(dir, part))
	}
	first := 0
	if s, err := readState(dir); err == nil && s.Process.alive() {
		first = s.Process.PID
	}
	return space.OfWorkspace(ctx, first, parts, most), context.Cause(ctx)
}

// Written implements workspace.Disk.
func (r *Runtime) Written(context.Context) (map[identity.WorkspaceID]int64, error) {
	entries, err := os.ReadDir(filepath.Join(r.root, "w"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	first := map[identity.WorkspaceID]int{}
	for _, e := range entries {
		id, err := identity.WorkspaceFromLabel(e.Name())
		if err != nil {
			continue // not ours
		}
		if s, err := readState(r.dir(id)); err == nil && s.Process != nil {
			first[id] = s.Process.PID // if it is somebody else's by now, that one writes in another namespace
		}
	}
	return space.Written(first), nil
}
