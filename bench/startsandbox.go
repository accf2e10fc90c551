package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// benchStart measures starts in the sandbox, beside a bare bubblewrap that makes the same namespaces and starts a shell.
func benchStart(ctx context.Context, _ *bench) error {
	if _, err := exec.LookPath("bwrap"); err != nil {
		skip("start.sandbox.p50", "bubblewrap is not installed")
		return nil
	}
	program, err := built()
	if err != nil {
		skip("start.sandbox.p50", err.Error())
		return nil
	}
	if _, err := barePrompt(ctx); err != nil {
		skip("start.sandbox.p50", fmt.Sprintf("bubblewrap does not work here: %v", err))
		return nil
	}
	w, err := startDev(ctx, program, nil)
	if err != nil {
		return err
	}
	defer w.close()
	return w.starts(ctx, "start.sandbox", "bwrap", barePrompt)
}

// barePrompt is the time that bubblewrap and a shell take to a prompt on a terminal, with the namespaces of a
// workspace and a user of its own when this runs as root.
func barePrompt(ctx context.Context) (time.Duration, error) {
	args := []string{
		"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--disable-userns",
		"--as-pid-1", "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "bare",
		"--ro-bind", "/usr", "/usr",
	}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if link, err := os.Readlink(dir); err == nil {
			args = append(args, "--symlink", link, dir)
		} else if _, err := os.Stat(dir); err == nil {
			args = append(args, "--ro-bind", dir, dir)
		}
	}
	args = append(args, "--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run",
		"--remount-ro", "/", "--chdir", "/tmp", "--clearenv", "--setenv", "PS1", "bare$ ", "--", "/bin/bash", "--norc", "--noprofile", "-i")
	cmd := exec.CommandContext(ctx, "bwrap", args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 209_999, Gid: 209_999}
	}
	start := time.Now()
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		return 0, err
	}
	defer terminal.Close()
	defer func() {
		_ = cmd.Process.Kill() // gone already is as good
		_ = cmd.Wait()
	}()
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var said []byte
	buf := make([]byte, 4<<10)
	for !prompted(said) {
		n, err := terminal.Read(buf)
		if err != nil {
			return 0, fmt.Errorf("%w: %s", err, said)
		}
		said = append(said, buf[:n]...)
	}
	return time.Since(start), nil
}
