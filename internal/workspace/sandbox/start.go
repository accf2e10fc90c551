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
		if s, err = r.begin(spec, progress); err != nil {
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
	if err := l.mountVolumes(progress); err != nil {
		return err
	}
	if err := l.makeFolders(); err != nil {
		return fmt.Errorf("sandbox: folders of %s: %w", spec.ID, err)
	}
	if l.socket, err = spec.Endpoint(ctx, s.UID); err != nil {
		return err
	}
	progress("starting the sandbox")
	if l.state.Groups, err = r.bound(spec, progress); err != nil {
		return err
	}
	l.state.Agent, l.state.Etc, l.state.Started = im.agent, im.etc, time.Now().UTC().Truncate(time.Millisecond)
	if len(l.state.Groups) > 0 { // so that they are found if the server dies before it knows the process
		if err := writeState(l.dir, l.state); err != nil {
			return err
		}
	}
	if err := r.launch(ctx, l); err != nil {
		return errors.Join(err, l.state.Groups.remove())
	}
	r.tell(spec.ID)
	return nil
}

// bound makes the control group that keeps a workspace to its limits. Where this server cannot, which takes root, it goes on
// without, and says so: the sandbox is for people one trusts.
func (r *Runtime) bound(spec workspace.Spec, progress func(string)) (controlGroup, error) {
	l := spec.Limits
	if l.CPUs == 0 && l.Memory == 0 && l.Processes == 0 {
		return nil, nil
	}
	g, err := makeGroup(r.procFS, spec.ID.Label(), l)
	if errors.Is(err, errNoGroups) {
		progress("the limits of its class are not kept: " + errNoGroups.Error())
		r.unbounded.Do(func() { r.log.Warn("sandbox: limits of workspaces are not kept on this machine", "err", err) })
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: limits of %s: %w", spec.ID, err)
	}
	return g, nil
}

// makeFolders makes what is missing.
func (l launch) makeFolders() error {
	uid := l.state.UID
	if err := makeOwn(l.dir, l.state); err != nil {
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
