package isolation

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// attempt is made inside, and must come out as said. So that none fails for want of the means, the same is made by the
// same means where it must work: inside on what is the workspace's own, or outside, as root.
type attempt struct {
	what string
	want string // regular expression
	own  string // control inside, of which "ok" is expected
	root string // control outside
}

func TestNothingOfTheMachine(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	u, err := url.Parse(p.Info.URL)
	if err != nil {
		t.Fatal(err)
	}
	agent, otherAgent := strconv.Itoa(p.agent(p.ws)), strconv.Itoa(p.agent(p.other))
	p.Must(other, p.other, "echo other >/workspace/secret; chmod -R a+rX /workspace; setsid sleep 424242 >/dev/null 2>&1 &")
	own := strings.TrimSpace(p.Must(who, p.ws, "setsid sleep 1000 >/dev/null 2>&1 & echo $!"))
	planted := filepath.Join(p.Data, "planted")
	if err := os.WriteFile(planted, []byte("planted"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := func(parts ...string) string { return filepath.Join(append([]string{p.Data}, parts...)...) }
	const none, refused = "ENOENT", "EACCES|EPERM"
	attempts := []attempt{
		// The machine's files, the server's, other people's.
		{"read /etc/shadow", none, "read /etc/passwd", "read /etc/shadow"},
		{"read " + planted, none, "", "read " + planted},
		{"list " + p.Data, none, "list /workspace", "list " + p.Data},
		{"read " + data("secrets", "encryption.key"), none, "", "read " + data("secrets", "encryption.key")},
		{"read " + data("server", "lanyard.db"), none, "", "read " + data("server", "lanyard.db")},
		{"read " + filepath.Join(p.Files(p.other), "secret"), none, "", "read " + filepath.Join(p.Files(p.other), "secret")},
		{"list " + data("server", "sandbox", "w", label(p.other), "home"), none, "list /home/lanyard", ""},
		{"list " + data("server", "s"), none, "list /run/lanyard", ""},
		{"dial unix " + data("server", "s", label(p.other), "lanyard.sock"), none, "dial unix /run/lanyard/lanyard.sock", ""},
		{"dial unix " + p.Info.Socket, none, "", "dial unix " + p.Info.Socket},
		{"list /root", none, "", "list /root"},
		{"list /var/lib", none, "", "list /var/lib"},
		{"list /sys", none, "", "list /sys"},
		{"list /home/lanyard/../../root", none, "", ""},
		{"dial unix /var/run/docker.sock", none, "", ""},
		{"link /usr/bin/env /tmp/env", "EXDEV", "", ""},
		{"create /usr/x", "EROFS", "create /workspace/x", ""},
		{"create /etc/x", "EROFS", "create /tmp/x", ""},
		{"create /run/lanyard/x", "EROFS|EACCES", "create /run/x", ""},
		{"create /opt/lanyard/x", "EROFS|EACCES", "", ""},
		{"read /opt/lanyard/lanyard-agent", refused, "read /home/lanyard/probe", ""},
		{"chmod /run/lanyard/lanyard.sock", "EROFS|EPERM", "chmod /home/lanyard/probe", ""},

		// Processes: the agent is number 1, others are not there.
		{"read /proc/1/environ", refused, "read /proc/" + own + "/environ", "read /proc/" + agent + "/environ"},
		{"read /proc/1/mem", refused, "", ""},
		{"read /proc/1/maps", refused, "read /proc/" + own + "/maps", ""},
		{"list /proc/1/fd", refused, "list /proc/" + own + "/fd", ""},
		{"list /proc/1/root/", refused, "list /proc/" + own + "/root/", ""},
		{"list /proc/1/cwd/", refused, "list /proc/" + own + "/cwd/", ""},
		{"read /proc/1/exe", refused, "read /proc/" + own + "/exe", ""},
		{"list /proc/" + agent, none, "list /proc/" + own, "list /proc/" + agent},
		{"list /proc/" + otherAgent, none, "", "list /proc/" + otherAgent},
		{"list /proc/" + strconv.Itoa(p.Pid()), none, "", "list /proc/" + strconv.Itoa(p.Pid())},
		{"ptrace 1", "EPERM", "ptrace " + own, ""},
		{"peek 1", "EPERM", "", ""},
		{"kill " + agent + " 9", "ESRCH", "kill " + own + " 0", ""},
		{"kill " + strconv.Itoa(p.Pid()) + " 0", "ESRCH", "", "kill " + strconv.Itoa(p.Pid()) + " 0"},

		// Other kinds of user, namespaces, mounts, devices.
		{fmt.Sprintf("clone %#x", unix.CLONE_NEWUSER), "EPERM|ENOSPC|EINVAL", "clone 0", ""},
		{fmt.Sprintf("unshare %#x", unix.CLONE_NEWUSER), "EPERM|ENOSPC|EINVAL", "unshare 0", ""},
		{fmt.Sprintf("clone %#x", unix.CLONE_NEWNS), "EPERM", "", ""},
		{fmt.Sprintf("clone %#x", unix.CLONE_NEWNET), "EPERM", "", ""},
		{fmt.Sprintf("clone %#x", unix.CLONE_NEWPID), "EPERM", "", ""},
		{"root", "EPERM|EINVAL", "", ""},
		{"setuser 210001", "EPERM|EINVAL", "", ""},
		{"mount /tmp", "EPERM", "", ""},
		{"remount /usr", "EPERM", "", ""},
		{"umount /usr", "EPERM", "", ""},
		{"chroot /tmp", "EPERM", "", ""},
		{"device /tmp/device", "EPERM", "", ""},
		{"read /dev/mem", none, "read /dev/zero", ""},
		{"read /dev/kmsg", none, "", ""},
		{"write /proc/sys/kernel/core_pattern", "EROFS|EACCES", "", ""},
		{"write /proc/sys/kernel/hostname", "EROFS|EACCES", "", ""},

		// The network: the machine's loopback is another one, and there is no other interface.
		{"dial tcp 127.0.0.1:" + u.Port(), "ECONNREFUSED", "dial tcp 127.0.0.1:7070", "dial tcp 127.0.0.1:" + u.Port()},
		{"dial tcp [::1]:" + u.Port(), "ECONNREFUSED|EADDRNOTAVAIL|ENETUNREACH", "", ""},
		{"dial tcp 192.0.2.1:443", "ENETUNREACH", "", ""},
		{"dial tcp 169.254.169.254:80", "ENETUNREACH", "", ""},
		{"dial udp 192.0.2.1:53", "ENETUNREACH", "", ""},
		{"dial tcp [2001:db8::1]:443", "ENETUNREACH|EADDRNOTAVAIL", "", ""},
		{"lookup example.test", ".*(no such host|connection refused|network is unreachable|server misbehaving|ECONNREFUSED).*|ECONNREFUSED|ENETUNREACH|ENOENT", "", ""},
		{fmt.Sprintf("socket %d %d", unix.AF_PACKET, unix.SOCK_RAW), "EPERM|EAFNOSUPPORT", fmt.Sprintf("socket %d %d", unix.AF_INET, unix.SOCK_STREAM), ""},
		{fmt.Sprintf("socket %d %d", unix.AF_INET, unix.SOCK_RAW), "EPERM|EAFNOSUPPORT|EPROTONOSUPPORT", "", ""},
		{fmt.Sprintf("socket %d %d", unix.AF_VSOCK, unix.SOCK_STREAM), "EAFNOSUPPORT|EPERM", "", ""},
	}
	for _, port := range p.ports() {
		attempts = append(attempts, attempt{"dial tcp 127.0.0.1:" + port, "ECONNREFUSED", "", "dial tcp 127.0.0.1:" + port})
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			attempts = append(attempts, attempt{"dial tcp " + ip.IP.String() + ":22", "ENETUNREACH", "", ""})
		}
	}
	p.run(t, attempts)

	if got := p.Must(who, p.ws, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"); strings.Contains(got, "424242") || strings.Contains(got, p.Data) {
		t.Errorf("processes of others are to be seen: %s", got)
	}
	if got := p.Must(who, p.ws, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \\n'"); got != "lo" {
		t.Errorf("interfaces: %s", got)
	}
	devices := strings.Fields(p.Must(who, p.ws, "ls /dev"))
	for _, d := range devices {
		if !slices.Contains([]string{"core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "console"}, d) {
			t.Errorf("there is a device %s", d)
		}
	}
	// Signals to process 1 are for it to ignore: every one of them is sent, and it is the same agent afterwards.
	p.Must(who, p.ws, "for s in $(seq 1 64); do kill -$s 1 2>/dev/null; done; kill -9 -1 2>/dev/null; true")
	if now := strconv.Itoa(p.agent(p.ws)); now != agent {
		t.Errorf("the agent is %s, was %s", now, agent)
	}
	if out := p.Must(who, p.ws, "echo alive"); out != "alive\n" {
		t.Errorf("the workspace says %q", out)
	}
}

// run makes the attempts and their controls.
func (p *prison) run(t *testing.T, attempts []attempt) {
	t.Helper()
	var inside []string
	for _, a := range attempts {
		inside = append(inside, a.what)
		if a.own != "" {
			inside = append(inside, a.own)
		}
	}
	results := p.try(inside)
	controls := 0
	for _, a := range attempts {
		if got := results[0]; !regexp.MustCompile("^(" + a.want + ")$").MatchString(got) {
			t.Errorf("%s: %s, want %s", a.what, got, a.want)
		}
		results = results[1:]
		if a.own != "" {
			if got := results[0]; got != "ok" {
				t.Errorf("control %s inside: %s", a.own, got)
			}
			results = results[1:]
			controls++
		}
		if a.root != "" && os.Geteuid() == 0 {
			if got := p.here(a.root); got != "ok" {
				t.Errorf("control %s outside: %s", a.root, got)
			}
			controls++
		}
	}
	t.Logf("%d attempts, %d controls", len(attempts), controls)
}

// ports are those that the server's process listens on: of the pages, and of the sample upstreams.
func (p *prison) ports() (ports []string) {
	p.T.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Pid()))
	if err != nil {
		p.T.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			sockets[to] = true
		}
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		p.T.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // proc(5): number, local address, remote, state (0A listens), …, inode
		if len(f) < 10 || f[3] != "0A" || !sockets["socket:["+f[9]+"]"] {
			continue
		}
		_, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			p.T.Fatal(err)
		}
		ports = append(ports, strconv.FormatUint(n, 10))
	}
	if len(ports) < 4 { // the pages, two Git servers, the app
		p.T.Fatalf("the server listens on %v", ports)
	}
	return ports
}
