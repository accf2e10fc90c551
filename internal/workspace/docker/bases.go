package docker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// basesOf are the images that an order's Dockerfile names. They follow from the order's key, so they are remembered by it: a later
// start judges them without the repository.
func (r *Runtime) basesOf(ctx context.Context, o workspace.BuildOrder) ([]use, error) {
	path := filepath.Join(r.root, "bases", sumOf(o.Key))
	if text, err := os.ReadFile(path); err == nil {
		var known []use
		if json.Unmarshal(text, &known) == nil {
			now := time.Now()
			_ = os.Chtimes(path, now, now) // it is read again otherwise
			return known, nil
		}
	}
	d, _, err := readBuild(ctx, o)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(d.uses)
	if err == nil {
		err = makeFolders(filepath.Dir(path))
	}
	if err == nil {
		err = replaceFile(path, text, 0o600)
	}
	if err != nil {
		r.log.Warn("docker: the images that a Dockerfile names could not be noted", "err", err)
	}
	return d.uses, nil
}

// forgetBases removes what nobody has asked for in keepUnused.
func (r *Runtime) forgetBases(now time.Time) {
	dir := filepath.Join(r.root, "bases")
	all, err := os.ReadDir(dir)
	if err != nil {
		return // nothing was ever noted
	}
	for _, e := range all {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < keepUnused {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			r.log.Warn("docker: what a Dockerfile named could not be forgotten", "err", err)
		}
	}
}
