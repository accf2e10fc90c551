package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What Git reads in a repository of an AI agent's may have been made anything: it is never waited for.
func TestAttack27GitsFilesAreFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, large, small := filepath.Join(dir, "pipe"), filepath.Join(dir, "large"), filepath.Join(dir, "small")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, size := range map[string]int64{large: maxShallow + 1, small: 5} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{pipe, large, dir, "/dev/zero"} {
		if f, err := openRegular(path, maxShallow); err == nil {
			f.Close()
			t.Errorf("%s was taken", path)
		}
	}
	f, err := openRegular(small, maxShallow)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := openRegular(filepath.Join(dir, "none"), maxShallow); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// Something that Git started and that holds its output does not keep the agent once nobody waits for it.
func TestPlumbingEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	pids := filepath.Join(dir, "pid")
	script := "#!/bin/sh\nsetsid sh -c 'echo $$ > " + pids + ".new; mv " + pids + ".new " + pids + "; exec sleep 60' &\nexec sleep 60\n"
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	a := &Agent{config: Config{Workspace: dir, Home: dir}, children: newChildren()}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	reaped := make(chan struct{})
	go func() {
		ended <- plumbing{agent: a, dir: dir}.run(ctx, nil, io.Discard, "status")
		close(reaped)
	}()
	var pid string
	for deadline := time.Now().Add(30 * time.Second); pid == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what stands for Git did not start")
		}
		b, _ := os.ReadFile(pids)
		pid = strings.TrimSpace(string(b))
	}
	over := errors.New("nobody waits")
	cancel(over)
	for done := false; !done; {
		select {
		case <-reaped:
			done = true
		case <-time.After(5 * time.Millisecond):
			a.children.reap()
		}
	}
	if err := <-ended; !errors.Is(err, over) {
		t.Error(err)
	}
	if out, err := exec.Command("kill", pid).CombinedOutput(); err != nil {
		t.Errorf("what was started had ended: %s", out)
	}
}
