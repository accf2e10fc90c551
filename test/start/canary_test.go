package start_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// canaries are things of the machine that no repository's file may get at: what is read of one shows in what a start says or a
// workspace prints, and what runs outside leaves a file.
type canaries struct {
	name, env string // a variable of the server's
	file      string // whose content is that of name too; every user of the machine may read it
	outside   string // a folder in which every user of the machine may write
	port      string // of a listener on the machine's loopback
	met       atomic.Int64
}

const (
	envCanary  = "canary-of-the-environment"
	fileCanary = "canary-of-the-machine"
)

// plant sets them out. It is for before the server starts.
func plant(t *testing.T) *canaries {
	t.Helper()
	dir, err := os.MkdirTemp("", "lyc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &canaries{name: "LANYARD_CANARY", env: envCanary, file: filepath.Join(dir, "file"), outside: filepath.Join(dir, "outside")}
	t.Setenv(c.name, c.env)
	if err := os.WriteFile(c.file, []byte(fileCanary+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, c.outside: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.met.Add(1)
			conn.Close()
		}
	}()
	_, c.port, _ = net.SplitHostPort(l.Addr().String())
	return c
}

// run is a line for a shell that leaves a file outside, if it is run there, and always one in the workspace, if it is run here.
func (c *canaries) run(what string) string {
	return fmt.Sprintf("(echo %[1]s > %[2]s/%[1]s; cat %[3]s; curl -s -m 5 http://127.0.0.1:%[4]s/) >/dev/null 2>&1; echo %[1]s >> /tmp/ran", what, c.outside, c.file, c.port)
}

// works sees to it that the canaries sing: each is met by the means that must fail elsewhere.
func (c *canaries) works(t *testing.T, w world) {
	t.Helper()
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", w.Pid()))
	if err != nil || !strings.Contains(string(env), c.name+"="+c.env) {
		t.Fatalf("the server has no canary: %v", err)
	}
	ran := exec.Command("/bin/sh", "-c", strings.Replace(c.run("control"), "/tmp/ran", "/dev/null", 1))
	if os.Geteuid() == 0 { // as a workspace's user would be outside
		ran.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := ran.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if err := os.Remove(filepath.Join(c.outside, "control")); err != nil {
		t.Fatal("what runs outside leaves nothing:", err)
	}
	w.Eventually("the listener is met", func() bool { return c.met.CompareAndSwap(1, 0) })
}

// silent sees to it that nothing of the machine was met; texts are what came out.
func (c *canaries) silent(t *testing.T, w world, texts ...string) {
	t.Helper()
	ran, err := os.ReadDir(c.outside)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ran {
		t.Errorf("%s ran outside", r.Name())
		_ = os.Remove(filepath.Join(c.outside, r.Name())) // said once
	}
	if n := c.met.Swap(0); n > 0 {
		t.Errorf("the machine's loopback was met %d times", n)
	}
	for _, text := range append(texts, w.Log()) {
		for _, canary := range []string{c.env, fileCanary} {
			if strings.Contains(text, canary) {
				t.Errorf("%s is to be read: %.2000s", canary, text)
			}
		}
		if strings.ContainsAny(text, "\x1b\x07") {
			t.Errorf("what is shown moves the cursor: %.2000q", text)
		}
	}
}

// refuses is for a branch whose file asks for too much: nothing starts, and the person is told.
func (c *canaries) refuses(t *testing.T, w world, branch, want string) {
	t.Helper()
	ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/" + branch})
	if ws.Phase != "stopped" || !strings.Contains(ws.Message, want) {
		t.Errorf("it is %s: %s\nand not: %s", ws.Phase, ws.Message, want)
	}
	c.silent(t, w, ws.Message, said)
}
