package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func TestExecStreams(t *testing.T) {
	w := newWorld(t, nil)
	var out, errs bytes.Buffer
	code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{
		Argv: []string{"/bin/sh", "-c", `cat; echo "$WORD $HOME" >&2; exit 5`}, Env: map[string]string{"WORD": "word"},
	}, agentapi.Streams{Stdin: strings.NewReader("input"), Stdout: &out, Stderr: &errs})
	if err != nil || code != 5 {
		t.Fatalf("%d, %v", code, err)
	}
	if out.String() != "input" || errs.String() != "word "+w.root+"/home\n" {
		t.Errorf("stdout %q, stderr %q", out.String(), errs.String())
	}
	own := filepath.Join(w.root, "home", ".local", "bin")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own, "of-my-own"), []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"of-my-own"}}, agentapi.Streams{}); err != nil || code != 7 {
		t.Errorf("a program of the PATH that commands have: %d, %v", code, err)
	}
	if code, _ := w.exec("kill -9 $$"); code != 128+9 {
		t.Errorf("a killed command ended with %d", code)
	}
	_, err = w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"no-such-command"}}, agentapi.Streams{})
	if problem.KindOf(err) != problem.Invalid || !strings.Contains(problem.Message(err), "not found") {
		t.Errorf("an absent command: %v", err)
	}
	if _, out := w.exec("env; tr '\\0' '\\n' < /proc/self/environ"); strings.Contains(out, envSocket) {
		t.Errorf("the agent's environment reached a command: %s", out)
	}
	if _, out := w.exec("ls /proc/self/fd"); strings.Count(out, "\n") != 4 {
		t.Errorf("descriptors of a command: %s", out)
	}
}

// Much output to a slow reader, and much input to a command that reads it late: nothing may be lost.
func TestExecLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	const size = 5 << 20
	var out bytes.Buffer
	code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "sleep 0.5; cat"}},
		agentapi.Streams{Stdin: io.LimitReader(zeros{}, size), Stdout: &out})
	if err != nil || code != 0 || out.Len() != size {
		t.Fatalf("%d, %v, %d bytes of %d", code, err, out.Len(), size)
	}
	// A command may end with its input unread.
	if code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"/bin/true"}}, agentapi.Streams{Stdin: io.LimitReader(zeros{}, size)}); err != nil || code != 0 {
		t.Errorf("%d, %v", code, err)
	}
	// What it leaves in the background does not hold its end up, and what it wrote before is all there.
	if _, out := w.exec("sleep 1000 & seq 100000; kill $!"); len(out) < 500000 || !strings.HasSuffix(out, "100000\n") {
		t.Errorf("%d bytes", len(out))
	}
	if code, out := w.exec("sleep 5 & echo $!"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestExecTerminal(t *testing.T) {
	w := newWorld(t, nil)
	var out bytes.Buffer
	code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{
		Argv: []string{"/bin/sh", "-c", "test -t 0 && stty size && cat && echo end"}, TTY: true, Size: &agentapi.Size{Cols: 101, Rows: 33},
	}, agentapi.Streams{Stdin: strings.NewReader("typed\n"), Stdout: &out})
	if err != nil || code != 0 || !strings.Contains(out.String(), "33 101") || !strings.HasSuffix(out.String(), "end\r\n") {
		t.Fatalf("%d, %v, %q", code, err, out.String())
	}
}

// When the connection ends, the command does too: also one that ignores SIGHUP, and one that reads no input.
var pidForm = regexp.MustCompile(`pid=(\d+)\.`)

func TestExecEndsWithItsConnection(t *testing.T) {
	for name, script := range map[string]string{
		"ordinary": `echo pid=$$.; exec sleep 1000`,
		"stubborn": `trap "" HUP TERM; echo pid=$$.; while :; do sleep 1; done`,
		"terminal": `echo pid=$$.; exec sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var said []byte // a terminal echoes its input among the command's words
			found := false
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			pids := make(chan int, 1)
			done := make(chan error, 1)
			go func() {
				_, err := w.agent().Exec(ctx, agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", script}, TTY: name == "terminal"},
					agentapi.Streams{Stdin: io.LimitReader(zeros{}, 4<<20), Stdout: writerFunc(func(p []byte) (int, error) {
						if found {
							return len(p), nil
						}
						said = append(said, p...)
						if m := pidForm.FindSubmatch(said); m != nil {
							found = true
							n, err := strconv.Atoi(string(m[1]))
							pids <- n
							return len(p), err
						}
						return len(p), nil
					})})
				done <- err
			}()
			var pid int
			select {
			case pid = <-pids:
			case err := <-done:
				t.Fatal(err)
			}
			if !alive(pid) {
				t.Fatal("it does not run")
			}
			cancel()
			if err := <-done; err == nil {
				t.Error("no error")
			}
			eventually(t, "the command ends", func() bool { return !alive(pid) })
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Many commands at once, each with an orphan left behind: every status reaches its own waiter, and no zombie stays.
func TestStatusesAndOrphans(t *testing.T) {
	w := newWorld(t, nil)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			var out bytes.Buffer
			code, err := w.agent().Exec(testContext(t), agentapi.ExecRequest{
				Argv: []string{"/bin/sh", "-c", fmt.Sprintf("(sleep 0.%02d; exit 77) >/dev/null 2>&1 & echo %d; exit %d", i, i, i)},
			}, agentapi.Streams{Stdout: &out})
			if err != nil || code != i || out.String() != fmt.Sprintf("%d\n", i) {
				t.Errorf("command %d: status %d, %q, %v", i, code, out.String(), err)
			}
			_, err = w.agent().Exec(testContext(t), agentapi.ExecRequest{Argv: []string{"/proc/version"}}, agentapi.Streams{})
			if problem.KindOf(err) != problem.Invalid {
				t.Errorf("what cannot be run: %v", err)
			}
		})
	}
	wg.Wait()
	eventually(t, "every zombie is reaped", func() bool { return w.zombies() == 0 })
}

func TestExecWhileTheServerIsGone(t *testing.T) {
	w := newWorld(t, nil)
	_, out := w.exec("sleep 1000 >/dev/null 2>&1 & echo $!")
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}()
	w.shutdown()
	if _, err := w.agent().Status(testContext(t)); !errors.As(err, new(*problem.Error)) {
		t.Errorf("no server: %v", err)
	}
	w.listen(nil)
	w.wait()
	if !alive(pid) {
		t.Error("a process ended with the server")
	}
	s, err := w.agent().Status(testContext(t))
	if err != nil || s.Build != "test" {
		t.Errorf("%+v, %v", s, err)
	}
}
