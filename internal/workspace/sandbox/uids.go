package sandbox

import (
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// takeUID gives the workspace a host user that no other workspace with files here has. It is kept in its state, which
// the caller writes before any file of that user exists. Not as root there is only the server's own.
func (r *Runtime) takeUID(id identity.WorkspaceID) (int, error) {
	if !r.asRoot {
		return os.Geteuid(), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.readTaken(); err != nil {
		return 0, err
	}
	// Two servers on one machine begin at different places, so that they rarely give two workspaces the same user.
	h := fnv.New32a()
	h.Write([]byte(r.root))
	begin := int(h.Sum32() % uint32(r.uids.Count))
	for i := range r.uids.Count {
		uid := r.uids.First + (begin+i)%r.uids.Count
		if _, used := r.taken[uid]; !used {
			r.taken[uid] = id
			return uid, nil
		}
	}
	return 0, problem.New(problem.Unavailable, "All %d users for workspaces on this machine are taken; delete workspaces, or configure a larger range.", r.uids.Count)
}

// readTaken reads once which users are taken; the caller holds r.mu.
func (r *Runtime) readTaken() error {
	if r.takenRead {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(r.root, "w"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		id, err := identity.WorkspaceFromLabel(e.Name())
		if err != nil {
			continue
		}
		s, err := readState(r.dir(id))
		if errors.Is(err, os.ErrNotExist) {
			continue // nothing of it was made yet
		}
		if err != nil {
			return err
		}
		if !s.Shared { // whose user is another's
			r.taken[s.UID] = id
		}
	}
	r.takenRead = true
	return nil
}
