package docker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/workspace/confine"
)

// shared is what all workspaces of this server have in common.
type shared struct {
	server string // label of everything that is this server's
	agent  string // folder that is mounted at /opt/lanyard
}

// prepare makes what is shared at its first call.
func (r *Runtime) prepare() (*shared, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared != nil {
		return r.shared, nil
	}
	agents := filepath.Join(r.root, "agent")
	if err := makeFolders(filepath.Dir(r.root), r.root, agents, filepath.Join(r.root, "images")); err != nil {
		return nil, err
	}
	server, err := serverName(filepath.Join(r.root, "server"))
	if err != nil {
		return nil, err
	}
	agent, err := confine.Agent(agents, r.agentPath)
	if err != nil {
		return nil, err
	}
	if err := writeFilter(agent); err != nil {
		return nil, err
	}
	r.shared = &shared{server: server, agent: agent}
	return r.shared, nil
}

// serverName reads the name, or makes one: the label by which the engine's containers are known as this data folder's.
func serverName(path string) (string, error) {
	b, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("docker: %w", err)
	}
	name := rand.Text()
	if err := replaceFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", err
	}
	return name, nil
}

// writeFilter puts the filter of system calls beside the agent, which takes it on before anything else: the engine's own
// profile lets through what a workspace has no need of.
func writeFilter(agent string) error {
	filter, err := confine.Filter()
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(agent, confine.FilterName), filter, 0o444)
}

// replaceFile writes a file that is there whole or not at all.
func replaceFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	defer os.Remove(f.Name()) // gone already where all is well
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("docker: write %s: %w", path, err)
	}
	return nil
}
