package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// Every runtime's escapes, and those of this one alone: the machine's own files, and what its root left in the workspace's.
func TestEscapes(t *testing.T) {
	h := harness(t)
	data := filepath.Dir(h.Sockets)
	of := func(id identity.WorkspaceID, file ...string) string {
		return filepath.Join(append([]string{data, "sandbox", "w", id.Label()}, file...)...)
	}
	runtimetest.Escapes(t, runtimetest.EscapeHarness{
		Harness: h, Probe: built.probe,
		Hidden: func(other identity.WorkspaceID) []string { return []string{of(other, "files", "secret")} },
		Own: func(p *runtimetest.Prison) []runtimetest.Attempt {
			agent := strconv.Itoa(stateOf(t, of(p.ID)).Process.PID)
			secret := of(p.Other, "files", "secret")
			return append([]runtimetest.Attempt{
				{Try: "readdir " + data, Want: "ENOENT", Outside: "readdir " + data},
				{Try: "read " + secret, Want: "ENOENT", Outside: "read " + secret},
				{Try: "readdir /proc/" + agent, Want: "ENOENT", Outside: "readdir /proc/" + agent},
				{Try: "read /etc/shadow", Want: "ENOENT", Outside: "read /etc/shadow"},
				{Try: "readdir /root", Want: "ENOENT", Inside: "readdir /home/lanyard"},
				{Try: "readdir /sys", Want: "ENOENT", Outside: "readdir /sys"},
				{Try: "readdir /var/lib", Want: "ENOENT", Outside: "readdir /var/lib"},
				{Try: "write /usr/bin/env", Want: "EROFS|EACCES", Inside: "write /home/lanyard/probe", Result: "ETXTBSY"},
				{Try: "write /etc/passwd", Want: "EROFS|EACCES"},
				{Try: "create /x", Want: "EROFS", Inside: "create /home/lanyard/x"},
				{Try: "create /usr/x", Want: "EROFS"}, {Try: "create /etc/x", Want: "EROFS"}, {Try: "create /dev/x", Want: "EROFS"},
			}, planted(t, of(p.ID, "files"))...)
		},
		More: func(t *testing.T, p *runtimetest.Prison) {
			if got := p.Shell(t, p.ID, "id -u"); got != "1000" {
				t.Errorf("inside the user is %s", got)
			}
			fromOutside(t, of(p.ID))
		},
	})
}

func stateOf(t *testing.T, dir string) state {
	t.Helper()
	s, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// planted puts a device and a program that becomes root into a workspace's folder, as root of the host. They give nothing.
func planted(t *testing.T, files string) []runtimetest.Attempt {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("planting devices and programs of the host's root takes root; left out")
		return nil
	}
	device, program := filepath.Join(files, "planted-device"), filepath.Join(files, "planted")
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil { // zero
		t.Fatal(err)
	}
	content, err := os.ReadFile(built.probe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]uint32{device: 0o666, program: 0o6755} {
		if err := unix.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return []runtimetest.Attempt{
		{Try: "read /workspace/planted-device", Want: "EACCES", Inside: "read /dev/zero"},
		{Try: "none; /workspace/planted setuid", Want: "ok\n(EPERM|EINVAL)", Inside: "none; stat -c %a /workspace/planted", Result: "ok\n6755"},
	}
}

// fromOutside looks at process 1 of a workspace as root of the host: whose it is, what it may, where it is, what it has open.
func fromOutside(t *testing.T, dir string) {
	if os.Geteuid() != 0 {
		t.Skip("looking at another user's process takes root")
	}
	s := stateOf(t, dir)
	proc := fmt.Sprintf("/proc/%d/", s.Process.PID)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	if s.UID < DefaultUIDs.First || s.UID >= DefaultUIDs.First+DefaultUIDs.Count {
		t.Errorf("host user %d", s.UID)
	}
	for _, line := range []string{
		fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d", s.UID, s.UID, s.UID, s.UID), fmt.Sprintf("Gid:\t%d\t%d\t%d\t%d", s.UID, s.UID, s.UID, s.UID),
		"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(string(status), line+"\n") {
			t.Errorf("the agent's status lacks %q:\n%s", line, status)
		}
	}
	if !regexp.MustCompile(`(?m)^Groups:\s*$`).Match(status) {
		t.Errorf("the agent has groups of the host:\n%s", status)
	}
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"} {
		theirs, err1 := os.Readlink(proc + "ns/" + ns)
		ours, err2 := os.Readlink("/proc/self/ns/" + ns)
		if err1 != nil || err2 != nil || theirs == ours {
			t.Errorf("namespace %s: %s, the host's is %s (%v, %v)", ns, theirs, ours, err1, err2)
		}
	}
	open, err := os.ReadDir(proc + "fd")
	if err != nil || len(open) == 0 {
		t.Fatalf("the agent has nothing open: %v", err)
	}
	for _, e := range open {
		if link, _ := os.Readlink(proc + "fd/" + e.Name()); strings.Contains(link, "planted") {
			t.Errorf("a descriptor that the server inherited reached the agent: %s", link)
		}
	}
}
