package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// bwrapPath finds bubblewrap.
func (r *Runtime) bwrapPath() (string, error) {
	name := r.bwrap
	if name == "" {
		name = "bwrap"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", problem.Wrap(err, problem.Unavailable, "bubblewrap is not installed, and the sandbox runtime needs it: apt-get install bubblewrap (or your distribution's package of that name).")
	}
	return filepath.Abs(path)
}

// Check implements workspace.Runtime: it makes what all workspaces share, and tries an empty sandbox as one of the
// users that workspaces run as.
func (r *Runtime) Check(ctx context.Context) error {
	bwrap, err := r.bwrapPath()
	if err != nil {
		return err
	}
	if err := r.checkKernel(); err != nil {
		return err
	}
	if _, err := r.prepare(ctx); err != nil {
		return err
	}
	args := []string{"--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"}
	args = append(args, topFolders()...)
	args = append(args, "--proc", "/proc", "--dev", "/dev", "--", "/usr/bin/true")
	cmd := exec.CommandContext(ctx, bwrap, args...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if r.asRoot {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(r.uids.First), Gid: uint32(r.uids.First)}
	}
	said, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.explainProbe(bwrap, strings.TrimSpace(string(said)), err)
}

// checkKernel finds settings that forbid user namespaces to ordinary users.
func (r *Runtime) checkKernel() error {
	if r.setting("sys/user/max_user_namespaces") == "0" {
		return problem.New(problem.Unavailable, "This machine forbids user namespaces, which the sandbox runtime needs. Allow them: sysctl -w user.max_user_namespaces=15000 (and the same line in /etc/sysctl.d/ to keep it).")
	}
	if r.setting("sys/kernel/unprivileged_userns_clone") == "0" {
		return problem.New(problem.Unavailable, "This machine forbids user namespaces to ordinary users, which the sandbox runtime needs. Allow them: sysctl -w kernel.unprivileged_userns_clone=1 (and the same line in /etc/sysctl.d/ to keep it).")
	}
	return nil
}

// setting reads one of the kernel's settings; empty if it does not have it.
func (r *Runtime) setting(name string) string {
	b, err := os.ReadFile(filepath.Join(r.procFS, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (r *Runtime) explainProbe(bwrap, said string, cause error) error {
	if strings.Contains(said, "Unknown option") {
		return problem.Wrap(cause, problem.Unavailable, "This machine's bubblewrap is older than 0.8, which the sandbox runtime needs (it said: %s).", said)
	}
	if r.setting("sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
		return problem.Wrap(cause, problem.Unavailable, `AppArmor forbids bubblewrap to make user namespaces on this machine (it said: %s). Allow bubblewrap: write the following to /etc/apparmor.d/bwrap and run apparmor_parser -r /etc/apparmor.d/bwrap
abi <abi/4.0>,
include <tunables/global>
profile bwrap %s flags=(unconfined) {
  userns,
}
Or allow every program: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0.`, said, bwrap)
	}
	if said == "" {
		said = cause.Error()
	}
	var exit *exec.ExitError
	if !errors.As(cause, &exit) {
		return problem.Wrap(cause, problem.Unavailable, "bubblewrap cannot be run: %s.", said)
	}
	return problem.Wrap(cause, problem.Unavailable, "bubblewrap cannot make a sandbox on this machine: %s. Inside a container it takes one that may make user and PID namespaces and mount /proc (Docker: --privileged, or another runtime than sandbox).", said)
}
