package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// dotfilesWithin bounds cloning and installing a person's dotfiles, so that a workspace starts all the same.
const dotfilesWithin = 2 * time.Minute

// installers are looked for in this order, as by Gitpod and by Visual Studio Code; the first that may be run is.
var installers = []string{
	"install.sh", "install", "bootstrap.sh", "bootstrap", "script/bootstrap", "setup.sh", "setup", "script/setup",
}

// dotfiles clones and installs a person's dotfiles, once a home. The workspace goes on without what fails.
func (a *Agent) dotfiles(ctx context.Context, r agentapi.Repository, say func(agentapi.Progress)) {
	ctx, cancel := context.WithTimeoutCause(ctx, dotfilesWithin, fmt.Errorf("it took longer than %s", dotfilesWithin))
	defer cancel()
	if err := a.installDotfiles(ctx, r, say); err != nil {
		a.log.Warn("dotfiles", "err", err)
		say(agentapi.Progress{Phase: "dotfiles", Text: "Your dotfiles could not be installed: " + err.Error()})
	}
}

func (a *Agent) installDotfiles(ctx context.Context, r agentapi.Repository, say func(agentapi.Progress)) error {
	dir := filepath.Join(a.config.Home, ".dotfiles")
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err // they are there
	}
	fresh := dir + ".cloning"
	if err := removeAll(fresh); err != nil {
		return fmt.Errorf("the rest of an earlier clone: %w", err)
	}
	say(agentapi.Progress{Phase: "dotfiles", Text: "cloning your dotfiles from " + r.URL})
	if err := a.clone(ctx, r, fresh, func(agentapi.Progress) {}); err != nil {
		_ = removeAll(fresh) // the next start tries again
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	for _, name := range installers {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		say(agentapi.Progress{Phase: "dotfiles", Text: "running " + name + " of your dotfiles"})
		return a.runInstaller(ctx, dir, path)
	}
	return a.linkDotfiles(dir)
}

// runInstaller runs an installer; what it writes is kept in ~/.dotfiles.log.
func (a *Agent) runInstaller(ctx context.Context, dir, path string) error {
	log, err := os.OpenFile(dir+".log", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path)
	cmd.Dir, cmd.Env = dir, a.remoteEnvironment(nil)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ch, err := a.children.start(cmd)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, ch.hangUp)
	defer stop()
	code := ch.code()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code != 0:
		return fmt.Errorf("%s ended with status %d; ~/.dotfiles.log says more", filepath.Base(path), code)
	}
	return nil
}

// linkDotfiles links what begins with a dot into the home folder, where nothing of the name is there yet.
func (a *Agent) linkDotfiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || e.Name() == ".git" {
			continue
		}
		if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(a.config.Home, e.Name())); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
