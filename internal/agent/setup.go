package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

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
	env := map[string]string{"GITPOD_REPO_ROOT": dir}
	for k, v := range s.Env {
		env[k] = v
	}
	a.mu.Lock()
	a.name, a.env, a.done = s.Name, env, false
	a.mu.Unlock()
	say(agentapi.Progress{Phase: "git", Text: "writing Git's configuration"})
	if err := a.writeGitConfig(s); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err != nil {
		if !os.IsNotExist(err) {
			return fmt.Errorf("the checkout: %w", err)
		}
		if err := a.checkout(ctx, s, dir, say); err != nil {
			return err
		}
	}
	a.tokens.look(ctx) // so that the first terminal's programs find them
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
	return nil
}

// checkout makes dir. It appears whole or not at all: cloned beside, then renamed.
func (a *Agent) checkout(ctx context.Context, s agentapi.Setup, dir string, say func(agentapi.Progress)) error {
	if s.Repository == nil {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("the workspace's folder: %w", err)
		}
		return nil
	}
	fresh := filepath.Join(a.config.Workspace, "."+s.Name+".cloning")
	if err := removeAll(fresh); err != nil {
		return fmt.Errorf("the rest of an earlier clone: %w", err)
	}
	if err := a.clone(ctx, *s.Repository, fresh, say); err != nil {
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

// checkSetup refuses what could be taken for something else: an option, a path, a second line.
func checkSetup(s agentapi.Setup) error {
	if !agentapi.ValidName(s.Name) {
		return fmt.Errorf("%q cannot name a folder of the workspace", s.Name)
	}
	if s.Repository != nil {
		if err := checkRepository(*s.Repository); err != nil {
			return err
		}
	}
	for _, h := range s.GitHosts {
		if !hostForm.MatchString(h) {
			return fmt.Errorf("%q is not a host", h)
		}
	}
	for k, v := range s.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(v, "\x00") {
			return fmt.Errorf("%q cannot name a variable", k)
		}
	}
	return nil
}
