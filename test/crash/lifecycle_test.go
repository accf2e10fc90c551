package crash

import (
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// killedDuring makes a request and kills the server at some moment up to most later, whether or not the request has
// been answered by then. It reports whether it was.
func killedDuring(w *harness.World, most time.Duration, request func() error) (acknowledged bool) {
	w.T.Helper()
	answer := make(chan error, 1)
	go func() { answer <- request() }()
	after := rand.N(most)
	time.Sleep(after)
	w.Kill()
	err := <-answer // a dead server answers nobody any more
	w.T.Logf("killed after %v; the request's answer: %v", after.Round(time.Millisecond), err)
	w.Run()
	return err == nil
}

// Killed in the middle of a start, a stop or a deletion, the server that comes next ends it.
func TestKilledInTheMiddleOfAStep(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	ada := w.As(who)
	for range 3 {
		var ws api.Workspace
		if !killedDuring(w, 500*time.Millisecond, func() (err error) {
			ws, err = ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repository})
			return err
		}) {
			if list, err := ada.Workspaces(w.Context()); err != nil || len(list) > 1 {
				t.Fatalf("after a start that was not acknowledged: %+v, %v", list, err)
			} else if len(list) == 0 {
				continue
			} else {
				ws = list[0] // it began all the same
			}
		}
		reaches(w, ws.ID, "running")
		soon(w, ws, `git -C /workspace/api status --short && echo kept >~/kept && echo kept >/workspace/kept`)
		soon(w, ws, `setsid bash -c 'trap "" TERM HUP; while :; do sleep 0.1; done' >/dev/null 2>&1 & sleep 0.1`) // stops take time
		s := sandboxOf(w, ws)

		stopped := killedDuring(w, 2*time.Second, func() error { _, err := ada.StopWorkspace(w.Context(), ws.ID); return err })
		if !stopped {
			w.Eventually("the workspace is as it was wanted last", func() bool { p := phase(w, ws.ID); return p == "running" || p == "stopped" })
			if _, err := ada.StopWorkspace(w.Context(), ws.ID); err != nil {
				t.Fatal(err)
			}
		}
		reaches(w, ws.ID, "stopped")
		if left := s.processes(); len(left) > 0 {
			t.Errorf("stopped, and processes are left: %v", left)
		}

		killedDuring(w, 300*time.Millisecond, func() error { _, err := ada.StartWorkspace(w.Context(), ws.ID); return err })
		w.Eventually("the workspace is as it was wanted last", func() bool { p := phase(w, ws.ID); return p == "running" || p == "stopped" })
		if phase(w, ws.ID) == "stopped" {
			if _, err := ada.StartWorkspace(w.Context(), ws.ID); err != nil {
				t.Fatal(err)
			}
			reaches(w, ws.ID, "running")
		}
		if out := soon(w, ws, `cat ~/kept /workspace/kept && git -C /workspace/api status --short`); !strings.HasPrefix(out, "kept\nkept\n") {
			t.Errorf("the files: %s", out)
		}
		s = sandboxOf(w, ws)

		if !killedDuring(w, 200*time.Millisecond, func() error { return ada.DeleteWorkspace(w.Context(), ws.ID) }) {
			w.Eventually("the workspace is as it was wanted last", func() bool { p := phase(w, ws.ID); return p == "running" || p == "deleted" })
			if phase(w, ws.ID) == "running" {
				if err := ada.DeleteWorkspace(w.Context(), ws.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		reaches(w, ws.ID, "deleted")
		if left := s.processes(); len(left) > 0 {
			t.Errorf("deleted, and processes are left: %v", left)
		}
		if left := folders(w); len(left) > 0 {
			t.Errorf("deleted, and folders are left: %v", left)
		}
	}
	if said := w.Lanyard("audit", "verify"); said.Status != 0 {
		t.Errorf("audit verify: %+v", said)
	}
	w.Stop()
	if left := mentioning(w); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// Ctrl-C stops the workspaces and keeps their files.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	mine, other := w.Workspace(who, repository), w.Workspace("alan", "https://git.example.test/shop/web")
	w.Must(who, mine, "echo mine >/workspace/kept; setsid sleep 1000 >/dev/null 2>&1 &")
	w.Must("alan", other, "echo other >/workspace/kept")
	if err := w.Terminal(who, mine).Type("sleep 1000\n"); err != nil {
		t.Fatal(err)
	}
	boxes := []sandbox{sandboxOf(w, mine), sandboxOf(w, other)}
	began := time.Now()
	w.Stop()
	t.Logf("stopped with two workspaces after %v", time.Since(began).Round(time.Millisecond))
	for _, s := range boxes {
		if left := s.processes(); len(left) > 0 {
			t.Errorf("processes are left in %s: %v", s.label, left)
		}
	}
	if left := mentioning(w); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	for ws, want := range map[string]string{mine.ID: "mine\n", other.ID: "other\n"} {
		if b, err := os.ReadFile(filepath.Join(w.Files(api.Workspace{ID: ws}), "kept")); err != nil || string(b) != want {
			t.Errorf("%s keeps %q, %v", ws, b, err)
		}
	}
	w.Run()
	reaches(w, mine.ID, "stopped")
	reaches(w, other.ID, "stopped")
	if _, err := w.As(who).StartWorkspace(w.Context(), mine.ID); err != nil {
		t.Fatal(err)
	}
	reaches(w, mine.ID, "running")
	if out := w.Must(who, mine, "cat /workspace/kept"); out != "mine\n" {
		t.Errorf("it keeps %q", out)
	}
}

// An agent that is killed from outside takes its workspace with it: that is seen, told, and the files are there when
// it runs again.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	ws := w.Workspace(who, repository)
	w.Must(who, ws, "echo kept >/workspace/kept")
	term := w.Terminal(who, ws)
	s := sandboxOf(w, ws)
	if err := syscall.Kill(s.agent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-term.Ended():
	case <-time.After(harness.Wait):
		t.Fatal("the terminal of a dead workspace stays open")
	}
	code, reason, _ := term.End()
	t.Logf("the terminal was closed with %d %s", code, reason)
	w.Eventually("the end is noticed and told", func() bool {
		lines, err := w.Operator.Logs(w.Context(), ws.ID)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(lines, func(l api.Progress) bool {
			return l.Phase == "interrupted" && l.Text == "The workspace's processes have ended."
		})
	})
	w.Eventually("it runs again or is stopped", func() bool { p := phase(w, ws.ID); return p == "running" || p == "stopped" })
	if phase(w, ws.ID) == "stopped" {
		if _, err := w.As(who).StartWorkspace(w.Context(), ws.ID); err != nil {
			t.Fatal(err)
		}
		reaches(w, ws.ID, "running")
	}
	if now := sandboxOf(w, ws); now.agent == s.agent || slices.Contains(now.processes(), s.agent) {
		t.Errorf("%+v with %v, was %+v", now, now.processes(), s)
	}
	w.Eventually("the audit log has it", func() bool {
		said := w.Lanyard("audit", "search", "--action", "workspace:interrupted", "--workspace", ws.ID)
		return said.Status == 0 && strings.Contains(said.Out, "failed")
	})
	if out := w.Must(who, ws, "pwd; cat /workspace/kept; git status --short"); out != "/workspace/api\nkept\n" {
		t.Errorf("it keeps %q", out)
	}
}

// Two servers never share data: the second is refused, says so, and changes nothing.
func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	ws := w.Workspace(who, repository)
	before := contents(t, w, "tenant", "secrets", "projects", "hooks")
	for _, listen := range []string{"127.0.0.1:0", strings.Replace(strings.TrimPrefix(w.Info.URL, "http://"), "lanyard.localhost", "127.0.0.1", 1)} {
		said := w.Lanyard("dev", "--json", "--runtime", "sandbox", "--data", w.Data, "--listen", listen)
		if said.Status == 0 || said.Out != "" || !strings.Contains(said.Err, "already") {
			t.Errorf("a second server at %s: %+v", listen, said)
		}
	}
	for path, text := range contents(t, w, "tenant", "secrets", "projects", "hooks") {
		if before[path] != text {
			t.Errorf("the second server changed %s", path)
		}
	}
	if out := w.Must(who, ws, "curl -sf http://127.0.0.1:7070/r/ledger/whoami"); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("the first server's answer: %s", out)
	}
	if said := w.Lanyard("list"); said.Status != 0 || !strings.Contains(said.Out, ws.ID) {
		t.Errorf("the first server's socket: %+v", said)
	}
}

// contents reads the files of folders below the data, with the time of their last change.
func contents(t *testing.T, w *harness.World, parts ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range parts {
		list, err := filepath.Glob(filepath.Join(w.Data, p, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range list {
			b, err := os.ReadFile(path)
			info, err2 := os.Stat(path)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			all[path] = info.ModTime().String() + string(b)
		}
	}
	return all
}

// Of several that start on the same data in the same moment, one goes on.
func TestStartedAtOnce(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	w.Stop()
	const several = 4
	type outcome struct {
		ready *exec.Cmd // nil: refused
		said  string
	}
	outcomes := make(chan outcome, several)
	for range several {
		cmd := exec.Command(w.Program(), "dev", "--json", "--runtime", "sandbox", "--data", w.Data, "--listen", "127.0.0.1:0")
		var said harness.Buffer
		cmd.Stderr = &said
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			if n, _ := out.Read(make([]byte, 1)); n == 1 { // its line of JSON begins
				outcomes <- outcome{ready: cmd}
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait() // it is interrupted below
				return
			}
			_ = cmd.Wait() // what it said tells
			outcomes <- outcome{said: said.String()}
		}()
	}
	var ready []*exec.Cmd
	for range several {
		select {
		case o := <-outcomes:
			if o.ready != nil {
				ready = append(ready, o.ready)
			} else if !strings.Contains(o.said, "runs on the data in") {
				t.Errorf("refused with: %s", o.said)
			}
		case <-time.After(harness.Wait):
			t.Error("neither ready nor refused")
		}
	}
	if len(ready) != 1 {
		t.Errorf("%d of %d servers run on the same data", len(ready), several)
	}
	for _, cmd := range ready {
		_ = cmd.Process.Signal(os.Interrupt) // gone already is seen below
	}
	w.Eventually("they end", func() bool { return len(mentioning(w)) == 0 })
}
