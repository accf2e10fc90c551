package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Beginner = (*Runtime)(nil)

// Begin implements workspace.Beginner: it makes the agent's copy and the files of /etc, gives the workspace its user, and makes the
// folder of its checkouts. What its home begins with the image says.
func (r *Runtime) Begin(ctx context.Context, spec workspace.Spec, progress func(string)) (fresh bool, err error) {
	defer r.lock(spec.ID)()
	if _, err := r.bwrapPath(); err != nil {
		return false, err
	}
	if _, err := r.prepare(ctx); err != nil {
		return false, err
	}
	dir := r.dir(spec.ID)
	if _, err := readState(dir); !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	s, err := r.begin(spec, progress)
	if err != nil {
		return false, err
	}
	if err := makeOwn(dir, s); err != nil {
		return true, fmt.Errorf("sandbox: folders of %s: %w", spec.ID, err)
	}
	if err := makeDir(filepath.Join(dir, "files"), 0o700, s.UID, s.UID); err != nil {
		return true, fmt.Errorf("sandbox: folders of %s: %w", spec.ID, err)
	}
	return true, nil
}

// begin gives a workspace that is new here its user.
func (r *Runtime) begin(spec workspace.Spec, progress func(string)) (s state, err error) {
	progress("making the workspace's folders")
	if s.Beside, s.Shared = spec.Beside.Label(), spec.SharesFiles; s.Shared {
		s.UID, err = r.uidOf(spec.Beside)
	} else {
		s.UID, err = r.takeUID(spec.ID)
	}
	return s, err
}

// makeOwn makes a workspace's folder. The state comes first: a user is noted down before a file of that user exists.
func makeOwn(dir string, s state) error {
	if err := makeDir(dir, 0o710, 0, s.UID); err != nil {
		return err
	}
	return writeState(dir, s)
}
