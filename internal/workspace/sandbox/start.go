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
	s.Image, s.Files, s.Process = spec.Image.Ref, spec.Image.Path, nil
	l := launch{spec: spec, dir: dir, files: filepath.Join(dir, "files"), shared: im, state: s}
	if s.Shared {
		l.files = filepath.Join(r.dir(spec.Beside), "files")
	}
	if l.guest, err = guestOf(spec); err != nil {
		return err
	}
	if err := l.makeFolders(); err != nil {
		return fmt.Errorf("sandbox: folders of %s: %w", spec.ID, err)
	}
	if l.socket, err = spec.Endpoint(ctx, s.UID); err != nil {
		return err
	}
	progress("starting the sandbox")
	l.state.Agent, l.state.Etc, l.state.Started = im.agent, im.etc, time.Now().UTC().Truncate(time.Millisecond)
	return r.launch(ctx, l)
}

// makeFolders makes what is missing. The state comes first: a user is noted down before a file of that user exists.
func (l launch) makeFolders() error {
	uid := l.state.UID
	if err := makeDir(l.dir, 0o710, 0, uid); err != nil {
		return err
	}
	if err := writeState(l.dir, l.state); err != nil {
		return err
	}
	if err := l.makeHome(); err != nil {
		return err
	}
	if err := l.makeVolumes(); err != nil {
		return err
	}
	if l.spec.Image.Path != "" {
		if err := l.makeOver(); err != nil {
			return err
		}
	}
	return makeDir(filepath.Join(l.dir, "files"), 0o700, uid, uid)
}
