package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// uidOf is the user of a workspace, for one that shares its files: a file has one owner, so who is to write it is that one.
func (r *Runtime) uidOf(id identity.WorkspaceID) (int, error) {
	s, err := readState(r.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return 0, problem.New(problem.Conflict, "The workspace %s, beside which another is to start, has no files here.", id)
	}
	return s.UID, err
}

// stopBeside ends the processes of all that stands beside a workspace, whose lock is held.
func (r *Runtime) stopBeside(ctx context.Context, id identity.WorkspaceID) error {
	entries, err := os.ReadDir(filepath.Join(r.root, "w"))
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	for _, e := range entries {
		other, err := identity.WorkspaceFromLabel(e.Name())
		if err != nil || other == id {
			continue
		}
		s, err := readState(r.dir(other))
		if err != nil || s.Beside != id.Label() { // nothing was made of it yet, or it is being removed
			continue
		}
		unlock := r.lock(other)
		err = r.stop(ctx, other)
		unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
