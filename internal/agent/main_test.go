package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// The agent reaps every child of its process and changes how signals are taken, so tests run it in a process of its
// own: this test binary, with the agent's folders in its environment.
const (
	envRoot   = "LANYARD_TEST_AGENT_ROOT"
	envSocket = "LANYARD_TEST_AGENT_SOCKET"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(envRoot); root != "" {
		err := Run(context.Background(), Config{
			Socket: os.Getenv(envSocket), Listen: "127.0.0.1:0", Build: "test",
			Home: filepath.Join(root, "home"), Workspace: filepath.Join(root, "workspace"),
			Private: filepath.Join(root, "private"),
			Log:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Ready:   Starter(os.Getenv(agentapi.StarterEnv)),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// world is a server's Hub and an agent that runs beside it.
type world struct {
	t         *testing.T
	id        identity.WorkspaceID
	hub       *tunnel.Hub
	sockets   string
	root      string // of the agent: home and workspace
	cmd       *exec.Cmd
	pid       int
	gitSystem string // what /etc/gitconfig is in a workspace
}

func newWorld(t *testing.T, server http.Handler) *world {
	t.Helper()
	sockets, err := os.MkdirTemp("", "agt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	w := &world{t: t, id: identity.NewWorkspaceID(), sockets: sockets, root: t.TempDir()}
	for _, dir := range []string{"home", "workspace"} {
		if err := os.Mkdir(filepath.Join(w.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.gitSystem = filepath.Join(w.root, "gitconfig")
	if err := os.WriteFile(w.gitSystem, []byte("[include]\n\tpath = "+filepath.Join(w.root, "home", gitConfigFile)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.listen(server)
	w.startAgent()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		w.endAgent(ctx)
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(w.root, "agent.log"))
			t.Logf("the agent's log:\n%s", text)
		}
		if err := w.hub.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return w
}

// startAgent starts an agent, as a workspace's next start does after endAgent.
func (w *world) startAgent() {
	w.t.Helper()
	dir, err := w.hub.Listen(testContext(w.t), w.id, os.Getuid())
	if err != nil {
		w.t.Fatal(err)
	}
	before := w.hub.Status(w.id).Start
	w.cmd = exec.Command(os.Args[0])
	w.cmd.Env = append(os.Environ(), envRoot+"="+w.root, envSocket+"="+filepath.Join(dir, tunnel.SocketName))
	log, err := os.OpenFile(filepath.Join(w.root, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	w.cmd.Stderr = log
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.pid = w.cmd.Process.Pid
	eventually(w.t, "another agent is connected", func() bool {
		now := w.hub.Status(w.id).Start
		return now != "" && now != before
	})
	w.wait()
}

// endAgent asks the agent to stop, and makes sure that it has.
func (w *world) endAgent(ctx context.Context) {
	_ = w.agent().Stop(ctx) // ends what it started; a test may have ended the agent already
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

// listen makes the server's end, again if there was one: a restarted server.
func (w *world) listen(server http.Handler) string {
	w.t.Helper()
	if server == nil {
		server = http.NotFoundHandler()
	}
	w.hub = tunnel.NewHub(tunnel.HubConfig{Dir: w.sockets, Handler: server, Log: slog.New(slog.DiscardHandler)})
	dir, err := w.hub.Listen(testContext(w.t), w.id, os.Getuid())
	if err != nil {
		w.t.Fatal(err)
	}
	return dir
}

func (w *world) shutdown() {
	w.t.Helper()
	if err := w.hub.Shutdown(testContext(w.t)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wait() {
	w.t.Helper()
	if err := w.hub.Wait(testContext(w.t), w.id); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) agent() agentapi.Client { return agentapi.New(w.hub.Client(w.id)) }

func (w *world) workspace(parts ...string) string {
	return filepath.Join(append([]string{w.root, "workspace"}, parts...)...)
}

// exec runs a shell script in the workspace.
func (w *world) exec(script string) (code int, out string) {
	w.t.Helper()
	var b bytes.Buffer
	code, err := w.agent().Exec(testContext(w.t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", script}}, agentapi.Streams{Stdout: &b, Stderr: &b})
	if err != nil {
		w.t.Fatalf("exec %s: %v", script, err)
	}
	return code, b.String()
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// alive reports whether a process runs and is not a zombie.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// zombies counts the agent's children that have ended and were not waited for.
func (w *world) zombies() int {
	w.t.Helper()
	n := 0
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", w.pid, w.pid))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(b)) {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		if strings.Contains(string(stat), ") Z ") {
			n++
		}
	}
	return n
}

func TestAgentCannotBeStoppedByItsChildren(t *testing.T) {
	w := newWorld(t, nil)
	start := w.hub.Status(w.id).Start
	for s := unix.Signal(1); s <= 64; s++ {
		switch s {
		case unix.SIGKILL, unix.SIGSTOP, 32, 34:
			continue // not to be taken; only process 1 of a namespace is safe from these, and the sandbox's tests try them
		}
		if err := unix.Kill(w.pid, s); err != nil && err != unix.EINVAL {
			t.Fatalf("signal %d: %v", s, err)
		}
	}
	if code, out := w.exec("echo on"); code != 0 || out != "on\n" {
		t.Fatalf("%d %q", code, out)
	}
	if now := w.hub.Status(w.id); now.Start != start {
		t.Errorf("another agent: %+v", now)
	}
}

func TestAgentStops(t *testing.T) {
	w := newWorld(t, nil)
	_, out := w.exec("sleep 1000 >/dev/null 2>&1 & echo $!")
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.agent().Terminal(testContext(t), "main", agentapi.Size{}); err != nil {
		t.Fatal(err)
	}
	if err := w.agent().Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the agent ends", func() bool { return !alive(w.pid) })
	_ = unix.Kill(pid, unix.SIGKILL) // outside of a PID namespace a process in the background is not the agent's to end
}

func TestAgentWithoutItsStarterEnds(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(os.Environ(), envRoot+"="+t.TempDir(), envSocket+"=/nowhere", agentapi.StarterEnv+"=3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	ready := make([]byte, len(agentapi.StarterReady))
	if _, err := ours.Read(ready); err != nil || string(ready) != agentapi.StarterReady {
		t.Errorf("%q, %v", ready, err)
	}
	ours.Close() // the starter dies before it says go
	if err := cmd.Wait(); err == nil {
		t.Error("the agent went on without its starter")
	}
}
