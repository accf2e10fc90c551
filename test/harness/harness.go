// Package harness runs the whole program for tests, as a user would: it builds both binaries, starts `lanyard dev` on
// a free port with data of its own, and plays its people.
package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Wait bounds what a test waits for. It is generous: no test fails because a machine is slow.
const Wait = 60 * time.Second

// programs are the folder in which both are, made once per test binary.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

// Programs is a folder of this test binary's own with both programs: those in the folder LANYARD_PROGRAMS, or built here.
func Programs() (string, error) {
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "lanyard-bin-"); programs.err != nil {
			return
		}
		if programs.err = os.Chmod(programs.dir, 0o755); programs.err != nil { // workspaces run as users of their own
			return
		}
		for _, name := range []string{"lanyard", "lanyard-agent"} {
			if programs.err = program(name, filepath.Join(programs.dir, name)); programs.err != nil {
				return
			}
		}
	})
	return programs.dir, programs.err
}

// program brings a program to a place.
func program(name, to string) error {
	if from := os.Getenv("LANYARD_PROGRAMS"); from != "" {
		whole, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		return os.WriteFile(to, whole, 0o755)
	}
	build := exec.Command("go", "build", "-o", to, "github.com/lanyardhq/lanyard/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// Main is for TestMain: it runs the tests, and ends and removes what Programs and Docker made.
func Main(m *testing.M) {
	code := m.Run()
	EndDocker()
	if programs.dir != "" {
		os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// Need skips the test where a program is missing, saying so, unless LANYARD_REQUIRE asks for everything.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("LANYARD_REQUIRE") == "all" {
				t.Fatalf("%s is not installed on this machine, and LANYARD_REQUIRE=all", p)
			}
			t.Skipf("%s is not installed on this machine", p)
		}
	}
}

// World is a running `lanyard dev`.
type World struct {
	T        testing.TB
	Info     remote.DevInfo
	Operator *remote.Remote
	Data     string

	bin      string
	listen   string
	database []string // flags
	flags    []string // more of them
	mu       sync.Mutex
	cmd      *exec.Cmd
	exited   chan struct{}
	stderr   bytes.Buffer
	people   map[string]*remote.Remote
}

// Start starts a sample world that ends with the test.
func Start(t testing.TB) *World {
	t.Helper()
	return StartOn(t, func(string) {})
}

// StartOn is Start on a data folder that is prepared first; what prepare has cleaned up happens after the world's end.
func StartOn(t testing.TB, prepare func(data string), flags ...string) *World {
	t.Helper()
	Need(t, "bwrap", "git", "curl")
	bin, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(data); err != nil {
			t.Errorf("remove the data: %v", err)
		}
	})
	if err := os.Chmod(data, 0o755); err != nil { // workspaces run as users of their own
		t.Fatal(err)
	}
	prepare(data)
	w := &World{T: t, Data: data, bin: bin, listen: "127.0.0.1:0", flags: flags, people: map[string]*remote.Remote{}}
	w.chooseDatabase()
	t.Cleanup(func() {
		w.Stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", w.Log())
		}
	})
	w.Run()
	return w
}

// Log is what the server has written to its standard error.
func (w *World) Log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stderr.String()
}

// Write collects the server's standard error.
func (w *World) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stderr.Write(p)
}

// Run starts the server, or starts it again on the same address and data.
func (w *World) Run() {
	w.T.Helper()
	args := []string{"dev", "--json", "--data", w.Data, "--listen", w.listen, "--runtime", "sandbox"} // a later flag wins
	cmd := exec.Command(filepath.Join(w.bin, "lanyard"), slices.Concat(args, w.database, w.flags)...)
	cmd.Stderr = w
	// A test binary that is killed takes its server with it, and the server its workspaces.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.T.Fatal(err)
	}
	exited, started := make(chan struct{}), make(chan error)
	lines := make(chan string, 1)
	go func() {
		runtime.LockOSThread() // until the server is gone: the kernel sends Pdeathsig when the thread ends, not the process
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		if s.Scan() {
			lines <- s.Text()
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // how it ended shows in its log
		close(exited)
	}()
	if err := <-started; err != nil {
		w.T.Fatal(err)
	}
	w.cmd, w.exited = cmd, exited
	select {
	case line := <-lines:
		var info remote.DevInfo // a fresh one: what was copied of the old one may be read meanwhile
		if err := json.Unmarshal([]byte(line), &info); err != nil {
			w.T.Fatalf("dev --json: %v: %s", err, line)
		}
		w.Info = info
	case <-w.exited:
		w.T.Fatalf("the server ended at its start:\n%s", w.Log())
	case <-time.After(Wait):
		w.T.Fatalf("the server is not ready:\n%s", w.Log())
	}
	u, err := url.Parse(w.Info.URL)
	if err != nil {
		w.T.Fatal(err)
	}
	w.listen = "127.0.0.1:" + u.Port()
	w.Operator = remote.Socket(w.Info.Socket)
}

// Kill ends the server at once, as a crash would.
func (w *World) Kill() { w.end(syscall.SIGKILL) }

// Stop ends the server as Ctrl-C does.
func (w *World) Stop() { w.end(os.Interrupt) }

func (w *World) end(sig os.Signal) {
	if w.cmd == nil {
		return
	}
	for _, p := range w.people {
		p.Close()
	}
	if w.Operator != nil {
		w.Operator.Close()
	}
	_ = w.cmd.Process.Signal(sig) // gone already is as good
	select {
	case <-w.exited:
	case <-time.After(Wait):
		_ = w.cmd.Process.Kill()
		<-w.exited
		w.T.Error("the server did not end when it was asked to")
	}
	w.cmd = nil
}

// Pid is the server's process.
func (w *World) Pid() int { return w.cmd.Process.Pid }

// Context ends after Wait.
func (w *World) Context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	w.T.Cleanup(cancel)
	return ctx
}

// As is a sample user, signed in by the real code flow; the same session each time.
func (w *World) As(name string) *remote.Remote {
	w.T.Helper()
	if r := w.people[name]; r != nil {
		return r
	}
	r := w.SignIn(name)
	w.people[name] = r
	return r
}

// SignIn signs a sample user in anew.
func (w *World) SignIn(name string) *remote.Remote {
	w.T.Helper()
	u, err := w.Info.User(name)
	if err != nil {
		w.T.Fatal(err)
	}
	r, err := w.Info.SignIn(w.Context(), u)
	if err != nil {
		w.T.Fatalf("sign %s in: %v", name, err)
	}
	w.people[name] = r
	return r
}

// Is makes r what As answers for a sample user from now on.
func (w *World) Is(name string, r *remote.Remote) {
	if old := w.people[name]; old != nil {
		old.Close()
	}
	w.people[name] = r
}

// Browser is a browser in which nobody is signed in.
func (w *World) Browser() *browser.Browser {
	b := browser.New()
	w.T.Cleanup(b.Close)
	return b
}

// Workspace makes a workspace on a context URL and returns it when it runs.
func (w *World) Workspace(who, contextURL string) api.Workspace {
	w.T.Helper()
	r := w.As(who)
	ws, err := r.CreateWorkspace(w.Context(), api.Order{ContextURL: contextURL})
	if err != nil {
		w.T.Fatalf("%s makes a workspace on %s: %v", who, contextURL, err)
	}
	var said []string
	ws, err = r.Follow(w.Context(), ws.ID, func(p api.Progress) { said = append(said, p.Text) })
	if err != nil || ws.Phase != "running" {
		w.T.Fatalf("the workspace of %s is %s (%s): %v\n%s", who, ws.Phase, ws.Message, err, strings.Join(said, "\n"))
	}
	return ws
}

// Exec runs a shell line in a workspace and returns what it printed, both streams together, and its exit status.
func (w *World) Exec(who string, ws api.Workspace, line string) (string, int) {
	w.T.Helper()
	out, code, err := w.TryExec(w.Context(), who, ws, line)
	if err != nil {
		w.T.Fatalf("%s runs %q: %v\n%s", who, line, err, out)
	}
	return out, code
}

// TryExec is Exec for what may be refused.
func (w *World) TryExec(ctx context.Context, who string, ws api.Workspace, line string) (string, int, error) {
	w.T.Helper()
	var out Buffer
	code, err := w.As(who).Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}}, agentapi.Streams{Stdout: &out, Stderr: &out})
	return out.String(), code, err
}

// Must runs a shell line that has to succeed.
func (w *World) Must(who string, ws api.Workspace, line string) string {
	w.T.Helper()
	out, code := w.Exec(who, ws, line)
	if code != 0 {
		w.T.Fatalf("%q ended with %d:\n%s", line, code, out)
	}
	return out
}

// Buffer is a bytes.Buffer for several goroutines.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Eventually waits until a condition holds.
func (w *World) Eventually(what string, holds func() bool) {
	w.T.Helper()
	end := time.Now().Add(Wait)
	for !holds() {
		if time.Now().After(end) {
			w.T.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Curl is a request to the server as no workspace and nobody.
func (w *World) Curl(r *http.Request) (int, string) {
	w.T.Helper()
	b := w.Browser()
	resp, err := b.HTTP().Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Program is the path of the lanyard binary.
func (w *World) Program() string { return filepath.Join(w.bin, "lanyard") }

// Again stops the server and starts it with other flags on the same address and data.
func (w *World) Again(flags ...string) {
	w.T.Helper()
	w.Stop()
	w.flags, w.people = flags, map[string]*remote.Remote{}
	w.Run()
}
