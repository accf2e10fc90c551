package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// maxSetup bounds a setup request, in bytes.
const maxSetup = 1 << 20

// serveSetup answers with lines of agentapi.Progress. A connection that breaks ends Git too; the next setup begins
// the clone anew.
func (a *Agent) serveSetup(w http.ResponseWriter, r *http.Request) {
	var s agentapi.Setup
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSetup)).Decode(&s); err != nil {
		http.Error(w, "not a setup: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	flusher := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	say := func(p agentapi.Progress) {
		_ = encoder.Encode(p) // the request's context ends when the server is gone
		_ = flusher.Flush()
	}
	if err := a.setup(r.Context(), s, say); err != nil {
		a.log.Warn("setup failed", "err", err)
		say(agentapi.Progress{Error: err.Error()})
		return
	}
	say(agentapi.Progress{Done: true})
}

func (a *Agent) setup(ctx context.Context, s agentapi.Setup, say func(agentapi.Progress)) error {
	a.setups.Lock()
	defer a.setups.Unlock()
	if err := checkSetup(s); err != nil {
		return err
	}
	dir := filepath.Join(a.config.Workspace, s.Name)
	if err := a.tellTools(&s); err != nil {
		return err
	}
	a.take(s, dir)
	say = oneAtATime(say)
	say(agentapi.Progress{Phase: "git", Text: "writing Git's configuration"})
	if err := a.writeGitConfig(s); err != nil {
		if !diskFull(err) {
			return err
		}
		say(agentapi.Progress{Phase: "git", Text: "The disk is full. The workspace goes on with the configuration that Git had; make room, and start it again."})
	}
	beside, cancel := context.WithCancel(ctx)
	var installing sync.WaitGroup
	defer installing.Wait()
	defer cancel()
	if s.Dotfiles != nil && !s.Prebuild {
		installing.Go(func() { a.dotfiles(beside, *s.Dotfiles, say) })
	}
	if err := a.checkouts(ctx, s, dir, say); err != nil {
		return err
	}
	a.places(s, dir, say)
	a.tokens.look(ctx) // so that the first terminal's programs find them
	installing.Wait()  // so that the first shell reads them
	a.completeRemote(ctx, s, say)
	stop := a.work.listen(say)
	defer stop()
	a.work.begin(s)
	if err := a.work.await(ctx, s.Prebuild); err != nil {
		return err
	}
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
	a.changes.tell()
	return nil
}

// take notes what a setup says of what begins from now on.
func (a *Agent) take(s agentapi.Setup, dir string) {
	env := map[string]string{"GITPOD_REPO_ROOT": dir}
	maps.Copy(env, s.Env)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.name, a.env, a.remote, a.start, a.portPlans, a.done = s.Name, env, s.RemoteEnv, s.Folder, s.Ports, false
}

// oneAtATime lets several say something.
func oneAtATime(say func(agentapi.Progress)) func(agentapi.Progress) {
	var mu sync.Mutex
	return func(p agentapi.Progress) {
		mu.Lock()
		defer mu.Unlock()
		say(p)
	}
}

// diskFull reports whether there is no room for a file.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// checkouts makes those that are not there.
func (a *Agent) checkouts(ctx context.Context, s agentapi.Setup, dir string, say func(agentapi.Progress)) error {
	there, err := exists(dir)
	if err != nil {
		return err
	}
	if !there {
		if err := forgetOnce(a.config.Workspace, s.Name); err != nil {
			return err
		}
		if err := a.checkout(ctx, s.Repository, dir, say); err != nil {
			return err
		}
	} else if err := a.catchUp(ctx, s, dir, say); err != nil {
		return err
	}
	// The person may not read one of these, or not now: they work with the others.
	for _, r := range s.More {
		if err := a.another(ctx, r, say); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			a.log.Warn("a further repository", "url", r.URL, "err", err)
			say(agentapi.Progress{Phase: "clone", Text: fmt.Sprintf("%s could not be cloned, and is tried again at the next start: %v", r.URL, err)})
		}
	}
	return nil
}

// another clones a repository beside the first.
func (a *Agent) another(ctx context.Context, r agentapi.Repository, say func(agentapi.Progress)) error {
	dir := filepath.Join(a.config.Workspace, filepath.FromSlash(r.Folder))
	if there, err := exists(dir); there || err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("its folder: %w", err)
	}
	return a.checkout(ctx, &r, dir, say)
}

func exists(dir string) (bool, error) {
	_, err := os.Lstat(dir)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("the checkout: %w", err)
}

// checkout makes dir. It appears whole or not at all: cloned beside, then renamed.
func (a *Agent) checkout(ctx context.Context, r *agentapi.Repository, dir string, say func(agentapi.Progress)) error {
	if r == nil {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("the workspace's folder: %w", err)
		}
		return nil
	}
	fresh := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".cloning")
	if err := removeAll(fresh); err != nil {
		return fmt.Errorf("the rest of an earlier clone: %w", err)
	}
	if err := a.clone(ctx, *r, fresh, say); err != nil {
		_ = removeAll(fresh) // the next setup tries again
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fmt.Errorf("the checkout: %w", err)
	}
	return nil
}

// removeAll is os.RemoveAll for files of a user who may have taken the write permission off folders.
func removeAll(path string) error {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700) // removing says what is wrong if this fails
		}
		return nil
	})
	return os.RemoveAll(path)
}
