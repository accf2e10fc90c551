package agent

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/lanyardhq/lanyard/internal/inside"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// gp runs a command of the workspace's command line, by the agent's own socket.
func (w *world) gp(args ...string) (status int, out, errs string) {
	w.t.Helper()
	var o, e bytes.Buffer
	env := map[string]string{agentapi.SocketEnv: filepath.Join(w.root, "private", agentapi.PrivateSocket)}
	status = inside.Run(testContext(w.t), inside.Config{
		Program: "gp", Env: func(k string) string { return env[k] }, Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e,
	}, args)
	return status, o.String(), e.String()
}

func (w *world) does(args ...string) string {
	w.t.Helper()
	status, out, errs := w.gp(args...)
	if status != 0 {
		w.t.Fatalf("gp %q: %d %s", args, status, errs)
	}
	return out
}

func TestCommandsOfTheWorkspace(t *testing.T) {
	w := newWorld(t, nil)
	if out := w.does("tasks", "list"); !strings.Contains(out, "names no tasks") {
		t.Error(out)
	}
	w.setup(agentapi.Setup{
		Ports: []agentapi.PortPlan{{First: 1, Last: 65535, OnOpen: "silent"}, {First: 2, Last: 2, Name: "never", OnOpen: "notify"}},
		Tasks: []agentapi.Task{
			{ID: "task-1", Name: "Waits", Then: "echo be''gins; sleep 1000"},
			{ID: "task-2", Name: "Fails", Then: "(exit 3)"},
		},
	})
	w.becomes("task-2", agentapi.TaskFailed)
	eventually(t, "the first has begun", func() bool { return strings.Contains(w.log("task-1"), "begins") })
	if out := w.does("tasks", "list"); !strings.Contains(out, "task-1  Waits  running  command  -     task-1") || !strings.Contains(out, "task-2  Fails  failed   command  3     task-2") {
		t.Error(out)
	}
	if out := w.does("tasks", "log", "Waits"); !strings.Contains(out, "begins") {
		t.Error(out)
	}
	if status, _, errs := w.gp("tasks", "stop"); status != 2 || !strings.Contains(errs, "task-1, task-2") {
		t.Errorf("%d %s", status, errs)
	}
	if status, _, errs := w.gp("tasks", "log", "none"); status != 3 || !strings.Contains(errs, `no task "none"`) {
		t.Errorf("%d %s", status, errs)
	}
	if status, _, errs := w.gp("tasks", "attach", "task-1"); status != 2 || !strings.Contains(errs, "needs a terminal") {
		t.Errorf("%d %s", status, errs)
	}
	if out := w.does("tasks", "stop", "--all"); out != "Waits is stopped.\nFails is stopped.\n" {
		t.Error(out)
	}
	w.becomes("task-1", agentapi.TaskStopped)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	w.does("ports", "await", port)
	if out := w.does("ports", "list"); !strings.Contains(out, "\n"+port+" ") || !strings.Contains(out, "2      not listening  never  notify") {
		t.Error(out)
	}
	if status, _, _ := w.gp("ports", "await", "0"); status != 2 {
		t.Error(status)
	}

	waits := make(chan int, 1)
	go func() {
		status, _, _ := w.gp("sync-await", "built/it")
		waits <- status
	}()
	w.does("sync-done", "built/it")
	if status := <-waits; status != 0 {
		t.Error(status)
	}
	w.does("sync-done", "built/it") // again

	var top agentapi.Figures
	if err := json.Unmarshal([]byte(w.does("top", "--json")), &top); err != nil || top.CPU <= 0 || top.Memory <= 0 || top.Processes <= 0 || top.DiskFree <= 0 {
		t.Errorf("%+v %v", top, err)
	}
}

func TestATaskIsAttachedTo(t *testing.T) {
	w := newWorld(t, nil)
	w.setup(agentapi.Setup{Tasks: []agentapi.Task{{ID: "task-1", Then: "echo be''gun; read -r word; echo read $word"}}})
	w.becomes("task-1", agentapi.TaskRunning)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	status := make(chan int, 1)
	go func() {
		defer tty.Close()
		env := map[string]string{agentapi.SocketEnv: filepath.Join(w.root, "private", agentapi.PrivateSocket)}
		status <- inside.Run(testContext(t), inside.Config{
			Program: "lanyard", Env: func(k string) string { return env[k] }, Stdin: tty, Stdout: tty, Stderr: tty,
		}, []string{"tasks", "attach"})
	}()
	var seen strings.Builder
	until := func(text string) {
		t.Helper()
		buffer := make([]byte, 4<<10)
		for !strings.Contains(seen.String(), text) {
			n, err := master.Read(buffer)
			if err != nil {
				t.Fatalf("waiting for %q: %v in %q", text, err, seen.String())
			}
			seen.Write(buffer[:n])
		}
	}
	typed := func(text string) {
		t.Helper()
		if _, err := master.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	until("begun")
	typed("words\n")
	until("read words")
	w.becomes("task-1", agentapi.TaskDone)
	typed("\x1d")
	if got := <-status; got != 0 {
		t.Errorf("left with %d", got)
	}
	if got := w.state("task-1"); got.Terminal == "" {
		t.Errorf("its terminal went with who left: %+v", got)
	}
}

func TestListenersOfATable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A
   2: 0100007F:C350 0100007F:1F90 01
   3: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A
   4: 0000000000000000FFFF00000100007F:0BB9 00000000000000000000000000000000:0000 0A
   5: 0:0 0:0 0A
   6: zz:1 0:0 0A
`
	var got []string
	for _, at := range listeners(strings.NewReader(table)) {
		got = append(got, at.String())
	}
	if all := strings.Join(got, " "); all != "127.0.0.1:8080 0.0.0.0:22 [::1]:3000 [::ffff:127.0.0.1]:3001" {
		t.Error(all)
	}
}

func TestFiguresOfACgroup(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"memory.current": "10485760\n", "memory.stat": "anon 1\ninactive_file 4194304\n", "memory.max": "2147483648\n",
		"pids.current": "7\n", "cpu.stat": "usage_usec 2500000\nuser_usec 1\n", "cpu.max": "150000 100000\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var f agentapi.Figures
	controlled(dir, &f)
	if f.Memory != 6<<20 || f.MemoryLimit != 2<<30 || f.Processes != 7 || f.CPU.Seconds() != 2.5 || f.CPULimit != 1.5 {
		t.Errorf("%+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte("max\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	controlled(dir, &f)
	if f.MemoryLimit != 0 {
		t.Errorf("no limit is %d", f.MemoryLimit)
	}
}

func TestWhoProcessesRunAs(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nodd:x:1001:1001::/:/usr/sbin/nologin\nshort:x:1002\n"
	for uid, want := range map[int]Person{
		0: {"root", "/root", "/bin/sh"}, 1000: {"node", "/home/node", "/bin/sh"},
		1001: {"odd", defaultHome, "/bin/bash"}, 1002: {defaultName, defaultHome, "/bin/bash"},
	} {
		if got := Whoami(strings.NewReader(passwd), uid, "/"); got != want {
			t.Errorf("%d is %+v", uid, got)
		}
	}
	for uid, text := range map[int]string{5: "", 1000: passwd} { // where the runtime says, the folder is
		if got := Whoami(strings.NewReader(text), uid, "/data"); got.Home != "/data" {
			t.Errorf("%+v", got)
		}
	}
}
