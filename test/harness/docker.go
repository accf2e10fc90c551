package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Engine is a Docker engine of a test's own: its socket, data and containers lie in a folder of their own, it has no network and
// touches no firewall.
type Engine struct {
	Socket string // path
	Image  string // name of the base image in it (scripts/base-image): Debian with Bash, Git, curl; users root, gitpod and vscode

	dir    string
	log    *os.File
	cmd    *exec.Cmd
	exited chan struct{}
}

// engines are those of this test binary: one, shared, for all its tests.
var engines struct {
	mu  sync.Mutex
	one *Engine
	err error
}

// Docker is the engine that all tests of this binary share, started at the first call. Main ends it; a package with a TestMain
// of its own calls EndDocker at its end.
func Docker(t testing.TB) *Engine {
	t.Helper()
	Need(t, "dockerd", "debootstrap")
	if os.Geteuid() != 0 {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("an engine of one's own takes root, and LANYARD_REQUIRE=all")
		}
		t.Skip("an engine of one's own takes root")
	}
	engines.mu.Lock()
	defer engines.mu.Unlock()
	if engines.one == nil && engines.err == nil {
		engines.one, engines.err = StartEngine()
	}
	if engines.err != nil {
		t.Fatal(engines.err)
	}
	return engines.one
}

// EndDocker ends the engine that Docker started, with its containers, and removes its files.
func EndDocker() {
	engines.mu.Lock()
	defer engines.mu.Unlock()
	if engines.one != nil {
		engines.one.End()
		engines.one = nil
	}
}

// End ends the engine with its containers, and removes its files.
func (e *Engine) End() {
	e.clear()
	e.Stop()
	e.remove()
}

// BaseImage is the path of a tar with the files of the base image, made at the first call on a machine (scripts/base-image).
func BaseImage(t testing.TB) string {
	t.Helper()
	path, err := baseImage()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func baseImage() (string, error) { return imageBy("base-image") }

// imageBy is the path of the tar that a script of scripts/ has made.
func imageBy(script string) (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("where are the sources?")
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(here), "..", "..", "scripts", script))
	var said bytes.Buffer
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/%s: %w\n%s", script, err, said.String())
	}
	return string(bytes.TrimSpace(path)), nil
}

// Tools gives the engine the base image with Debian's Go, npm and pip in it (scripts/tools-image), and returns its name.
func (e *Engine) Tools(t testing.TB) (image string) {
	t.Helper()
	path, err := imageBy("tools-image")
	if err == nil {
		err = e.load(path, "lanyard-test/tools")
	}
	if err != nil {
		t.Fatal(err)
	}
	return "lanyard-test/tools:1"
}

// StartEngine starts an engine with the base image in it; it takes root.
func StartEngine() (*Engine, error) {
	base, err := baseImage()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lyd-") // short: sockets live below it
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	e := &Engine{Socket: filepath.Join(dir, "s"), Image: "lanyard-test/base:1", dir: dir}
	if err := e.Start(); err != nil {
		e.remove()
		return nil, err
	}
	if err := e.load(base, "lanyard-test/base"); err != nil {
		e.Stop()
		e.remove()
		return nil, err
	}
	return e, nil
}

// Start starts the engine's process, or starts it again on the same data.
func (e *Engine) Start() error {
	var err error
	if e.log, err = os.OpenFile(filepath.Join(e.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("dockerd", "--host", "unix://"+e.Socket, "--data-root", filepath.Join(e.dir, "data"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "pid"), "--iptables=false", "--ip6tables=false", "--bridge=none", "--live-restore")
	cmd.Stdout, cmd.Stderr = e.log, e.log
	// A test binary that is killed takes its engine with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	e.cmd, e.exited = cmd, make(chan struct{})
	exited := e.exited
	go func() {
		runtime.LockOSThread() // the kernel sends Pdeathsig when the thread ends, not the process
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended shows in its log
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	for deadline := time.Now().Add(Wait); ; time.Sleep(50 * time.Millisecond) {
		answer, err := e.do(http.MethodGet, "/_ping", nil)
		if err == nil {
			answer.Body.Close()
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("dockerd ended at its start:\n%s", e.Log())
		default:
		}
		if time.Now().After(deadline) {
			e.Stop()
			return fmt.Errorf("dockerd is not ready: %w\n%s", err, e.Log())
		}
	}
}

// clear removes all containers.
func (e *Engine) clear() {
	answer, err := e.do(http.MethodGet, "/containers/json?all=1", nil)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	var all []struct{ ID string }
	if json.NewDecoder(answer.Body).Decode(&all) != nil {
		return
	}
	for _, c := range all {
		if gone, err := e.do(http.MethodDelete, "/containers/"+c.ID+"?force=1&v=1", nil); err == nil {
			gone.Body.Close()
		}
	}
}

// Kill ends the engine's process at once, as a crash would. Its containers go on.
func (e *Engine) Kill() {
	e.end(syscall.SIGKILL)
	// Its containerd ended with it. Where nobody reaps that, the next engine would take it for one that runs.
	_ = os.Remove(filepath.Join(e.dir, "exec", "containerd", "containerd.pid"))
}

// Stop ends the engine's process as a service manager does. Its containers go on.
func (e *Engine) Stop() { e.end(syscall.SIGTERM) }

func (e *Engine) end(sig syscall.Signal) {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Signal(sig) // gone already is as good
	select {
	case <-e.exited:
	case <-time.After(Wait):
		_ = e.cmd.Process.Kill()
		<-e.exited
	}
	e.cmd = nil
	e.log.Close()
}

// Log is the end of what the engine said.
func (e *Engine) Log() string {
	b, _ := os.ReadFile(filepath.Join(e.dir, "log")) // without it the error must do
	return string(b[max(0, len(b)-8000):])
}

// remove ends what the engine left, processes and mounts, and removes its folder.
func (e *Engine) remove() {
	endBelow(e.dir)
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	lines := bytes.Split(mounts, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if f := bytes.Fields(lines[i]); len(f) > 4 && bytes.HasPrefix(f[4], []byte(e.dir+"/")) {
			_ = syscall.Unmount(string(f[4]), syscall.MNT_DETACH)
		}
	}
	_ = os.RemoveAll(e.dir)
}

// endBelow ends the processes that were started with a path below dir: the engine's own containerd, and the shims of containers.
func endBelow(dir string) {
	for range 50 {
		found := false
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			line, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(line, []byte(dir+"/")) || !(bytes.HasPrefix(line, []byte("containerd")) || bytes.HasPrefix(line, []byte("/usr/bin/containerd"))) {
				continue
			}
			var pid int
			if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil {
				found = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if !found {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// load makes an image of a tar, tagged 1.
func (e *Engine) load(path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	answer, err := e.do(http.MethodPost, "/images/create?fromSrc=-&repo="+name+"&tag=1", f)
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || bytes.Contains(said, []byte("errorDetail")) {
		return fmt.Errorf("import %s: %w: %s", name, err, said)
	}
	return nil
}

// do asks the engine something; an answer other than 2xx is an error.
func (e *Engine) do(method, path string, body io.Reader) (*http.Response, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket)
	}}
	r, err := http.NewRequest(method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-tar")
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", answer.Status, said)
	}
	return answer, nil
}
