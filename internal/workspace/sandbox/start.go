package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Start implements workspace.Runtime.
func (r *Runtime) Start(ctx context.Context, spec workspace.Spec, progress func(string)) error {
	if spec.Beside != "" { // which does not stop, nor go, meanwhile
		m := r.lockOf(spec.Beside)
		m.RLock()
		defer m.RUnlock()
	}
	defer r.lock(spec.ID)()
	if progress == nil {
		progress = func(string) {}
	}
	dir := r.dir(spec.ID)
	s, err := readState(dir)
	known := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if known && s.Process.alive() {
		_, err := spec.Endpoint(ctx, s.UID)
		return err
	}
	if _, err := r.bwrapPath(); err != nil {
		return err
	}
	im, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	if !known {
		progress("making the workspace's folders")
		if s.Beside, s.Shared = spec.Beside.Label(), spec.SharesFiles; s.Shared {
			s.UID, err = r.uidOf(spec.Beside)
		} else {
			s.UID, err = r.takeUID(spec.ID)
		}
		if err != nil {
			return err
		}
	}
	if err := r.makeFolders(dir, s); err != nil {
		return fmt.Errorf("sandbox: folders of %s: %w", spec.ID, err)
	}
	socket, err := spec.Endpoint(ctx, s.UID)
	if err != nil {
		return err
	}
	progress("starting the sandbox")
	s.Agent, s.Etc, s.Started = im.agent, im.etc, time.Now().UTC().Truncate(time.Millisecond)
	l := launch{spec: spec, dir: dir, files: filepath.Join(dir, "files"), socket: socket, image: im, state: s}
	if s.Shared {
		l.files = filepath.Join(r.dir(spec.Beside), "files")
	}
	return r.launch(ctx, l)
}

// makeFolders makes what is missing. The state comes first: a user is noted down before a file of that user exists.
func (r *Runtime) makeFolders(dir string, s state) error {
	if err := makeDir(dir, 0o710, 0, s.UID); err != nil {
		return err
	}
	s.Process = nil
	if err := writeState(dir, s); err != nil {
		return err
	}
	for _, part := range []string{"home", "files"} {
		if err := makeDir(filepath.Join(dir, part), 0o700, s.UID, s.UID); err != nil {
			return err
		}
	}
	return nil
}
