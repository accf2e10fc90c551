package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// quarantine is a folder of a repository for objects that are not accepted yet, as git-receive-pack(1) has one: what is
// refused, or breaks off, leaves nothing in the repository. Its plumbing sees them beside the repository's own.
type quarantine struct {
	plumbing
	objects string // the repository's folder of objects
	folder  string // the quarantine's
}

// quarantinePrefix begins the names of such folders. `git gc` too removes what is called tmp_objdir-.
const quarantinePrefix = "tmp_objdir-lanyard-"

// quarantines counts those that are in use: what an earlier process left is removed when none is.
type quarantines struct {
	mu  sync.Mutex
	now int
}

// enterQuarantine makes a quarantine in a repository; leave removes it.
func (a *Agent) enterQuarantine(ctx context.Context, g plumbing) (*quarantine, error) {
	objects, err := g.text(ctx, "rev-parse", "--git-path", "objects")
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(g.dir, objects)
	}
	a.quarantines.mu.Lock()
	defer a.quarantines.mu.Unlock()
	if a.quarantines.now == 0 {
		stale, _ := filepath.Glob(filepath.Join(globbed(objects), quarantinePrefix+"*"))
		for _, dir := range stale {
			_ = removeAll(dir) // the next one tries again
		}
	}
	dir, err := os.MkdirTemp(objects, quarantinePrefix)
	if err != nil {
		return nil, fmt.Errorf("a folder for what comes in: %w", err)
	}
	a.quarantines.now++
	env := maps.Clone(g.env)
	if env == nil {
		env = map[string]string{}
	}
	env["GIT_OBJECT_DIRECTORY"] = dir
	env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(objects) + `"` // git(1): quoted as in C
	return &quarantine{plumbing: plumbing{agent: a, dir: g.dir, env: env}, objects: objects, folder: dir}, nil
}

func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// accept moves the packs into the repository. A pack's name is its content's hash, so that one of the name is the same.
func (q *quarantine) accept() error {
	to := filepath.Join(q.objects, "pack")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("accept what came in: %w", err)
	}
	for _, ending := range []string{".pack", ".rev", ".idx"} { // Git finds a pack by its index, which is the last
		files, err := filepath.Glob(filepath.Join(globbed(q.folder), "pack", "pack-*"+ending))
		if err != nil {
			return fmt.Errorf("accept what came in: %w", err)
		}
		for _, f := range files {
			if err := os.Rename(f, filepath.Join(to, filepath.Base(f))); err != nil {
				return fmt.Errorf("accept what came in: %w", err)
			}
		}
	}
	return nil
}

// leave removes what was not accepted.
func (q *quarantine) leave() {
	if err := removeAll(q.folder); err != nil {
		q.agent.log.Warn("what was not taken could not be removed", "folder", q.folder, "err", err)
	}
	q.agent.quarantines.mu.Lock()
	defer q.agent.quarantines.mu.Unlock()
	q.agent.quarantines.now--
}
