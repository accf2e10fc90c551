package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// prison is a running workspace, another beside it, and things of the host that they must not reach.
type prison struct {
	*runtimetest.Server
	id, other identity.WorkspaceID
	data      string
	pid       int // of the agent, on the host
	files     string
	planted   string // a file beside the server's data that every user of the host may read
	port      string // of a listener on the host's loopback
	abstract  string // name of a listener without a path
}

func newPrison(t *testing.T) *prison {
	t.Helper()
	h := harness(t)
	p := &prison{data: filepath.Dir(h.Sockets), id: identity.NewWorkspaceID(), other: identity.NewWorkspaceID()}
	t.Setenv("LANYARD_TEST_SECRET", "planted-in-the-server's-environment")
	p.planted = filepath.Join(p.data, "planted")
	if err := os.WriteFile(p.planted, []byte("planted"), 0o644); err != nil {
		t.Fatal(err)
	}
	leaked, err := unix.Open(p.planted, unix.O_RDONLY, 0) // without close-on-exec, as a careless parent leaves one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(leaked) })
	p.Server = runtimetest.NewServer(t, h)
	p.Start(t, p.id)
	p.Start(t, p.other)
	p.Shell(t, p.other, "echo other > /workspace/secret; chmod 644 /workspace/secret")
	s, err := readState(filepath.Join(p.data, "sandbox", "w", p.id.Label()))
	if err != nil {
		t.Fatal(err)
	}
	p.pid = s.Process.PID
	p.files = filepath.Join(p.data, "sandbox", "w", p.id.Label(), "files")
	p.port = listen(t, "tcp", "127.0.0.1:0")
	p.abstract = "@lanyard-test-" + p.id.Label()
	listen(t, "unix", p.abstract)
	p.install(t)
	return p
}

// listen accepts on the host and returns the port.
func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// install puts the probe into the workspace by way of the agent.
func (p *prison) install(t *testing.T) {
	t.Helper()
	f, err := os.Open(built.probe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var said bytes.Buffer
	code, err := p.Agent(p.id).Exec(runtimetest.Context(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "cat > ~/probe && chmod +x ~/probe"}},
		agentapi.Streams{Stdin: f, Stderr: &said})
	if err != nil || code != 0 {
		t.Fatalf("%d, %v, %s", code, err, said.String())
	}
	if got := p.probe(t, "none"); got != "ok" {
		t.Fatalf("the probe does not work inside: %s", got)
	}
}

// probe makes one attempt inside.
func (p *prison) probe(t *testing.T, attempt string) string {
	t.Helper()
	return p.Shell(t, p.id, "~/probe "+attempt)
}

// An attempt, what must come of it, and a control: the same by the same means where it must work, so that no attempt
// fails for want of the means. The control is made inside, or outside as the host's root.
type attempt struct {
	try     string
	want    string // regular expression
	inside  string // control
	outside string // control
	result  string // of the control; empty means "ok"
}

func (p *prison) run(t *testing.T, attempts []attempt) {
	t.Helper()
	before := p.Hub.Status(p.id)
	for _, a := range attempts {
		t.Run(strings.ReplaceAll(a.try, p.data, "DATA"), func(t *testing.T) {
			if got := p.probe(t, a.try); !regexp.MustCompile("^(" + a.want + ")$").MatchString(got) {
				t.Errorf("%s: %s, want %s", a.try, got, a.want)
			}
			want := a.result
			if want == "" {
				want = "ok"
			}
			if a.inside != "" {
				if got := p.probe(t, a.inside); got != want {
					t.Errorf("control %s inside: %s, want %s", a.inside, got, want)
				}
			}
			if a.outside != "" && os.Geteuid() == 0 {
				if got := probeHere(t, strings.Fields(a.outside)...); got != want {
					t.Errorf("control %s outside: %s, want %s", a.outside, got, want)
				}
			}
			if now := p.Hub.Status(p.id); now != before {
				t.Fatalf("the agent is another: %+v, was %+v", now, before)
			}
		})
	}
}

func TestEscapeFiles(t *testing.T) {
	p := newPrison(t)
	own := p.Shell(t, p.id, "sleep 1000 >/dev/null 2>&1 & echo $!")
	otherFile := filepath.Join(p.data, "sandbox", "w", p.other.Label(), "files", "secret")
	attempts := []attempt{
		{try: "read /etc/shadow", want: "ENOENT", inside: "read /etc/passwd", outside: "read /etc/shadow"},
		{try: "read " + p.planted, want: "ENOENT", outside: "read " + p.planted},
		{try: "readdir " + p.data, want: "ENOENT", outside: "readdir " + p.data},
		{try: "read " + otherFile, want: "ENOENT", outside: "read " + otherFile},
		{try: "dial unix " + filepath.Join(p.data, "run", p.other.Label(), "lanyard.sock"), want: "ENOENT", inside: "dial unix /run/lanyard/lanyard.sock"},
		{try: "readdir /root", want: "ENOENT", inside: "readdir /home/lanyard"},
		{try: "readdir /sys", want: "ENOENT", outside: "readdir /sys"},
		{try: "readdir /var/lib", want: "ENOENT", outside: "readdir /var/lib"},
		{try: "readdir /proc/" + strconv.Itoa(p.pid), want: "ENOENT", outside: "readdir /proc/" + strconv.Itoa(p.pid)},

		// The agent is process 1; a process of the workspace's own is the control.
		{try: "read /proc/1/environ", want: "EACCES|EPERM", inside: "read /proc/" + own + "/environ"},
		{try: "read /proc/1/maps", want: "EACCES|EPERM", inside: "read /proc/" + own + "/maps"},
		{try: "read /proc/1/mem", want: "EACCES|EPERM", inside: "read /proc/" + own + "/mem", result: "EIO"},
		{try: "write /proc/1/mem", want: "EACCES|EPERM", inside: "write /proc/" + own + "/mem"},
		{try: "write /proc/1/oom_score_adj", want: "EACCES|EPERM", inside: "write /proc/" + own + "/oom_score_adj"},
		{try: "readdir /proc/1/fd", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/fd"},
		{try: "readdir /proc/1/root/", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/root/"},
		{try: "readdir /proc/1/cwd/", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/cwd/"},
		{try: "read /proc/1/exe", want: "EACCES|EPERM", inside: "read /proc/" + own + "/exe"},
		{try: "read /proc/1/auxv", want: "EACCES|EPERM", inside: "read /proc/" + own + "/auxv"},
		{try: "read /proc/1/ns/net", want: "EACCES|EPERM"},

		{try: "create /usr/x", want: "EROFS", inside: "create /workspace/x"},
		{try: "write /usr/bin/env", want: "EROFS|EACCES", inside: "write /home/lanyard/probe", result: "ETXTBSY"},
		{try: "create /etc/x", want: "EROFS", inside: "create /tmp/x"},
		{try: "write /etc/passwd", want: "EROFS|EACCES"},
		{try: "create /x", want: "EROFS", inside: "create /home/lanyard/x"},
		{try: "create /opt/lanyard/x", want: "EROFS"},
		{try: "read /opt/lanyard/lanyard-agent", want: "EACCES"},
		{try: "write /opt/lanyard/lanyard-agent", want: "EROFS|EACCES"},
		{try: "remove /opt/lanyard/lanyard-agent", want: "EROFS|EACCES"},
		{try: "chmod /opt/lanyard/lanyard-agent", want: "EROFS|EPERM", inside: "chmod /workspace/x"},
		{try: "create /run/lanyard/x", want: "EROFS|EACCES", inside: "create /run/x"},
		{try: "remove /run/lanyard/lanyard.sock", want: "EROFS|EACCES", inside: "remove /run/x"},
		{try: "chmod /run/lanyard", want: "EROFS|EPERM"},
		{try: "write /proc/sys/kernel/core_pattern", want: "EROFS|EACCES"},
		{try: "write /proc/sysrq-trigger", want: "EROFS|EACCES|ENOENT"},
		{try: "write /proc/sys/user/max_user_namespaces", want: "EROFS|EACCES|EPERM"},
	}
	p.run(t, attempts)
	if got := p.Shell(t, p.id, "cat /etc/shadow 2>/dev/null; env; cat /proc/[0-9]*/environ /proc/self/mountinfo 2>/dev/null | tr '\\0' '\\n'"); strings.Contains(got, "LANYARD_TEST_SECRET") {
		t.Errorf("the server's environment is inside: %s", got)
	}
	for pid, want := range map[string]string{strconv.Itoa(p.pid): "the agent", "self": "a command"} {
		var links string
		if pid == "self" {
			links = p.Shell(t, p.id, "ls -l /proc/self/fd")
		} else if os.Geteuid() == 0 {
			dir := "/proc/" + pid + "/fd"
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				link, _ := os.Readlink(filepath.Join(dir, e.Name()))
				links += link + "\n"
			}
		}
		if strings.Contains(links, "planted") {
			t.Errorf("a descriptor that the server inherited reached %s: %s", want, links)
		}
	}
}

func TestEscapeProcesses(t *testing.T) {
	p := newPrison(t)
	victim := func() string { return p.Shell(t, p.id, "sleep 1000 >/dev/null 2>&1 & echo $!") }
	own := victim()
	// Every signal in every way that says where it comes from differently; -1 is a thread of process 1.
	before := p.Hub.Status(p.id)
	for _, way := range []string{"kill 1", "sigqueue 1", "sigqueue -1", "sigqueue-high 1", "tgsigqueue 1", "pidfd-signal 1", "setsig 1"} {
		got := p.Shell(t, p.id, "for s in $(seq 64); do ~/probe "+way+" $s; done")
		if !regexp.MustCompile(`^((ok|EPERM|EINVAL|ESRCH)\n?){64}$`).MatchString(got) {
			t.Errorf("%s: %s", way, got)
		}
		if now := p.Hub.Status(p.id); now != before {
			t.Fatalf("%s ended the agent: %+v, was %+v", way, now, before)
		}
	}
	var attempts []attempt
	attempts = append(attempts,
		attempt{try: "ptrace 1", want: "EPERM", inside: "ptrace " + own},
		attempt{try: "ptrace -1", want: "EPERM"},
		attempt{try: "vm-read 1", want: "EPERM", inside: "vm-read " + own, result: "EFAULT"},
		attempt{try: "pidfd-getfd 1", want: "EPERM", inside: "pidfd-getfd " + own},
		attempt{try: "prlimit 1", want: "EPERM", inside: "prlimit 0"},
		attempt{try: "prlimit -1", want: "EPERM"},
	)
	p.run(t, attempts)
	// The means work: the same signals end a process of the workspace's own.
	for _, way := range []string{"kill %s 15", "sigqueue %s 15", "tgsigqueue %s 15", "pidfd-signal %s 15", "kill %s 11"} {
		v := victim()
		if got := p.probe(t, fmt.Sprintf(way, v)); got != "ok" {
			t.Errorf("control %s: %s", way, got)
		}
		p.Shell(t, p.id, "for i in $(seq 100); do kill -0 "+v+" 2>/dev/null || exit 0; sleep 0.1; done; exit 1")
	}
	if os.Geteuid() != 0 {
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	s, err := readState(filepath.Join(p.data, "sandbox", "w", p.id.Label()))
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
		theirs, err1 := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.pid, ns))
		ours, err2 := os.Readlink("/proc/self/ns/" + ns)
		if err1 != nil || err2 != nil || theirs == ours {
			t.Errorf("namespace %s: %s, the host's is %s (%v, %v)", ns, theirs, ours, err1, err2)
		}
	}
}

func TestEscapeNetwork(t *testing.T) {
	p := newPrison(t)
	attempts := []attempt{
		{try: "dial tcp 127.0.0.1:" + p.port, want: "ECONNREFUSED", inside: "dial tcp 127.0.0.1:7070", outside: "dial tcp 127.0.0.1:" + p.port},
		{try: "dial unix " + p.abstract, want: "ECONNREFUSED", outside: "dial unix " + p.abstract},
		{try: "dial tcp 192.0.2.1:80", want: "ENETUNREACH"},
		{try: "dial udp 192.0.2.1:53", want: "ENETUNREACH", inside: "dial udp 127.0.0.1:53"},
		{try: "dial tcp [2001:db8::1]:80", want: "ENETUNREACH|EADDRNOTAVAIL"},
		{try: "dial tcp 169.254.169.254:80", want: "ENETUNREACH"},
		{try: "socket-vsock", want: "EAFNOSUPPORT", inside: "socket-inet"},
		{try: "socket-packet", want: "EAFNOSUPPORT|EPERM"},
		{try: "socket-alg", want: "EAFNOSUPPORT"},
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			attempts = append(attempts, attempt{try: "dial tcp " + ip.IP.String() + ":22", want: "ENETUNREACH"})
		}
	}
	p.run(t, attempts)
	if got := p.Shell(t, p.id, "cat /proc/net/dev | tail -n +3 | cut -d: -f1"); strings.TrimSpace(got) != "lo" {
		t.Errorf("interfaces: %s", got)
	}
}

func TestEscapeKernel(t *testing.T) {
	p := newPrison(t)
	if err := os.MkdirAll(filepath.Join(p.data, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	attempts := []attempt{
		{try: "mount /tmp", want: "EPERM"}, {try: "umount /usr", want: "EPERM"}, {try: "open_tree", want: "EPERM"}, {try: "fsopen", want: "EPERM"},
		{try: "chroot /tmp", want: "EPERM"}, {try: "pivot_root /tmp", want: "EPERM"},
		{try: "unshare-user", want: "EPERM"}, {try: "unshare-net", want: "EPERM"}, {try: "clone-user", want: "EPERM", outside: "clone-user"},
		{try: "clone3", want: "ENOSYS", outside: "clone3"}, {try: "setns /proc/self/ns/uts", want: "EPERM"},
		{try: "keyctl", want: "EPERM", outside: "keyctl"}, {try: "add_key", want: "EPERM", outside: "add_key"},
		{try: "bpf", want: "EPERM"}, {try: "perf_event_open", want: "EPERM"}, {try: "userfaultfd", want: "EPERM"}, {try: "io_uring_setup", want: "EPERM"},
		{try: "open_by_handle_at", want: "EPERM"}, {try: "syslog", want: "EPERM"}, {try: "personality", want: "EPERM", outside: "personality"},
		{try: "reboot", want: "EPERM"}, {try: "settimeofday", want: "EPERM"}, {try: "init_module", want: "EPERM"}, {try: "kexec_load", want: "EPERM"},
		{try: "x32", want: "ENOSYS"}, {try: "i386", want: "ENOSYS"},
		{try: "tiocsti", want: "EPERM"}, {try: "tiocsti-high", want: "EPERM"},
		{try: "setuid", want: "EPERM|EINVAL", outside: "setuid"},
		{try: "mknod /tmp/device", want: "EPERM", outside: "mknod " + filepath.Join(p.data, "device")},
		{try: "mknod /workspace/device", want: "EPERM"},
		{try: "read /dev/mem", want: "ENOENT", inside: "read /dev/zero"},
		{try: "read /dev/kmsg", want: "ENOENT"},
		{try: "create /dev/x", want: "EROFS", inside: "create /dev/shm/x"},
	}
	if blocks, err := os.ReadDir("/sys/class/block"); err == nil {
		for _, b := range blocks {
			attempts = append(attempts, attempt{try: "read /dev/" + b.Name(), want: "ENOENT"})
		}
	}
	if os.Geteuid() == 0 {
		// What root of the host put into the workspace's own folder gives nothing either.
		device := filepath.Join(p.files, "planted-device")
		if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil { // zero
			t.Fatal(err)
		}
		if err := os.Chmod(device, 0o666); err != nil {
			t.Fatal(err)
		}
		attempts = append(attempts, attempt{try: "read /workspace/planted-device", want: "EACCES", inside: "read /dev/zero"})
	}
	p.run(t, attempts)
	// At a terminal of its own a process may not type for another.
	var said bytes.Buffer
	if _, err := p.Agent(p.id).Exec(runtimetest.Context(t), agentapi.ExecRequest{Argv: []string{"/home/lanyard/probe", "tiocsti"}, TTY: true}, agentapi.Streams{Stdout: &said}); err != nil || strings.TrimSpace(said.String()) != "EPERM" {
		t.Errorf("TIOCSTI at a terminal: %q, %v", said.String(), err)
	}
	if r := p.Exec(t, p.id, "unshare", "-Ur", "id", "-u"); r.Code == 0 || strings.HasPrefix(r.Output, "0") {
		t.Errorf("a user namespace: %+v", r)
	}
}

func TestEscapeSetuid(t *testing.T) {
	p := newPrison(t)
	if got := p.Shell(t, p.id, "id -u"); got != "1000" {
		t.Fatalf("inside the user is %s", got)
	}
	for _, script := range []string{"su -c 'id -u' </dev/null", "su root -c 'id -u' </dev/null", "sudo -n id -u", "mount -t tmpfs none /tmp && id -u", "newgrp root </dev/null && id -u", "pkexec id -u"} {
		if r := p.Exec(t, p.id, "/bin/sh", "-c", script); r.Code == 0 {
			t.Errorf("%s: %s", script, r.Output)
		}
	}
	if os.Geteuid() != 0 {
		t.Log("planting a program of the host's root takes root; left out")
		return
	}
	in, err := os.Open(built.probe)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	planted := filepath.Join(p.files, "planted")
	out, err := os.Create(planted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := unix.Chmod(planted, 0o6755); err != nil {
		t.Fatal(err)
	}
	if got := p.Shell(t, p.id, "stat -c %a /workspace/planted; /workspace/planted setuid"); got != "6755\nEPERM" && got != "6755\nEINVAL" {
		t.Errorf("a set-user-ID program of root: %s", got)
	}
}
