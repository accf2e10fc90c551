package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace/confine"
)

// shared is what all workspaces mount: made once, named by its content, so that a workspace that runs keeps what it
// began with when the server is upgraded.
type shared struct {
	agent  string // folder that holds lanyard-agent
	etc    string
	filter []byte // seccomp program
}

// prepare makes it at its first call.
func (r *Runtime) prepare(context.Context) (*shared, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared != nil {
		return r.shared, nil
	}
	for _, dir := range []string{filepath.Dir(r.root), r.root, filepath.Join(r.root, "agent"), filepath.Join(r.root, "etc"), filepath.Join(r.root, "w")} {
		if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	if err := r.checkWalkable(); err != nil {
		return nil, err
	}
	var im shared
	var err error
	if im.filter, err = confine.Filter(); err != nil {
		return nil, err
	}
	if im.agent, err = confine.Agent(filepath.Join(r.root, "agent"), r.agentPath); err != nil {
		return nil, err
	}
	if im.etc, err = r.makeEtc(); err != nil {
		return nil, err
	}
	if err := r.removeUnused(im); err != nil {
		return nil, err
	}
	r.shared = &im
	return &im, nil
}

// removeUnused removes copies of earlier versions that no running workspace uses.
func (r *Runtime) removeUnused(im shared) error {
	used := map[string]bool{im.agent: true, im.etc: true}
	all, err := r.List(context.Background())
	if err != nil {
		return err
	}
	for _, o := range all {
		if err := unmountRoot(r.dir(o.ID)); err != nil { // of a start that died with the server
			return fmt.Errorf("sandbox: %w", err)
		}
		if !o.Running {
			continue
		}
		s, err := readState(r.dir(o.ID))
		if err != nil {
			return err
		}
		used[s.Agent], used[s.Etc] = true, true
	}
	for _, kind := range []string{"agent", "etc"} {
		entries, err := os.ReadDir(filepath.Join(r.root, kind))
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		for _, e := range entries {
			if path := filepath.Join(r.root, kind, e.Name()); !used[path] {
				if err := removeAll(path); err != nil {
					return fmt.Errorf("sandbox: %w", err)
				}
			}
		}
	}
	return nil
}

// checkWalkable makes sure that the workspaces' users can reach what is mounted from the data folder.
func (r *Runtime) checkWalkable() error {
	if !r.asRoot {
		return nil
	}
	for dir := r.root; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return problem.New(problem.Unavailable, "Workspaces run as users of their own, who cannot walk through %s (mode %04o) to the data folder: chmod o+x %s, or choose a data folder elsewhere, such as /var/lib/lanyard.", dir, info.Mode().Perm(), dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
