package runtimetest

import (
	"net"
	"os"
	"strconv"
	"testing"
)

// files are those of the host, of others, and of the agent, which is process 1; own is a process of the workspace's own.
func (p *Prison) files(own string) []Attempt {
	attempts := []Attempt{
		{Try: "read " + p.planted, Want: "ENOENT", Inside: "read /etc/passwd", Outside: "read " + p.planted},
		{Try: "readdir /proc/" + strconv.Itoa(os.Getpid()), Want: "ENOENT", Inside: "readdir /proc/" + own, Outside: "readdir /proc/" + strconv.Itoa(os.Getpid())},
		{Try: "readdir " + p.Harness.Sockets, Want: "ENOENT", Inside: "readdir /run/lanyard", Outside: "readdir " + p.Harness.Sockets},
		{Try: "dial unix " + p.Harness.Sockets + "/" + p.Other.Label() + "/lanyard.sock", Want: "ENOENT", Inside: "dial unix /run/lanyard/lanyard.sock"},
		{Try: "read /home/../.." + p.planted, Want: "ENOENT"},
		{Try: "dial unix /var/run/docker.sock", Want: "ENOENT"},
		{Try: "dial unix /run/containerd/containerd.sock", Want: "ENOENT"},

		{Try: "read /proc/1/environ", Want: "EACCES|EPERM", Inside: "read /proc/" + own + "/environ"},
		{Try: "read /proc/1/maps", Want: "EACCES|EPERM", Inside: "read /proc/" + own + "/maps"},
		{Try: "read /proc/1/mem", Want: "EACCES|EPERM", Inside: "read /proc/" + own + "/mem", Result: "EIO"},
		{Try: "write /proc/1/mem", Want: "EACCES|EPERM", Inside: "write /proc/" + own + "/mem"},
		{Try: "read /proc/1/fd/0", Want: "EACCES|EPERM|ENOENT"},
		{Try: "readdir /proc/1/root/", Want: "EACCES|EPERM", Inside: "readdir /proc/" + own + "/root/"},
		{Try: "readdir /proc/1/cwd/", Want: "EACCES|EPERM", Inside: "readdir /proc/" + own + "/cwd/"},
		{Try: "read /proc/1/exe", Want: "EACCES|EPERM", Inside: "read /proc/" + own + "/exe"},
		{Try: "read /proc/1/auxv", Want: "EACCES|EPERM", Inside: "read /proc/" + own + "/auxv"},
		{Try: "read /proc/1/ns/net", Want: "EACCES|EPERM"},

		{Try: "create /opt/lanyard/x", Want: "EROFS|EACCES", Inside: "create /workspace/x"},
		{Try: "read /opt/lanyard/lanyard-agent", Want: "EACCES"},
		{Try: "write /opt/lanyard/lanyard-agent", Want: "EROFS|EACCES"},
		{Try: "remove /opt/lanyard/lanyard-agent", Want: "EROFS|EACCES"},
		{Try: "chmod /opt/lanyard/lanyard-agent", Want: "EROFS|EPERM", Inside: "chmod /workspace/x"},
		{Try: "create /run/lanyard/x", Want: "EROFS|EACCES", Inside: "create /tmp/x"},
		{Try: "remove /run/lanyard/lanyard.sock", Want: "EROFS|EACCES", Inside: "remove /tmp/x"},
		{Try: "chmod /run/lanyard", Want: "EROFS|EPERM"},
		{Try: "write /proc/sys/kernel/core_pattern", Want: "EROFS|EACCES"},
		{Try: "write /proc/sysrq-trigger", Want: "EROFS|EACCES|ENOENT"},
		{Try: "write /proc/sys/user/max_user_namespaces", Want: "EROFS|EACCES|EPERM"},
	}
	if !p.h.Root {
		attempts = append(attempts,
			Attempt{Try: "readdir /proc/1/fd", Want: "EACCES|EPERM", Inside: "readdir /proc/" + own + "/fd"},
			Attempt{Try: "read /etc/shadow", Want: "ENOENT|EACCES"},
			Attempt{Try: "create /usr/x", Want: "EROFS|EACCES"}, Attempt{Try: "create /etc/x", Want: "EROFS|EACCES"}, Attempt{Try: "create /dev/x", Want: "EROFS|EACCES", Inside: "create /dev/shm/x"},
			Attempt{Try: "write /proc/1/oom_score_adj", Want: "EACCES|EPERM", Inside: "write /proc/" + own + "/oom_score_adj"})
	}
	if p.h.Hidden != nil {
		for _, path := range p.h.Hidden(p.Other) {
			attempts = append(attempts, Attempt{Try: "read " + path, Want: "ENOENT"}, Attempt{Try: "dial unix " + path, Want: "ENOENT"})
		}
	}
	if blocks, err := os.ReadDir("/sys/class/block"); err == nil {
		for _, b := range blocks {
			attempts = append(attempts, Attempt{Try: "read /dev/" + b.Name(), Want: "ENOENT"})
		}
	}
	return attempts
}

func (p *Prison) processes(own string) []Attempt {
	return []Attempt{
		{Try: "ptrace 1", Want: "EPERM", Inside: "ptrace " + own},
		{Try: "ptrace -1", Want: "EPERM"},
		{Try: "vm-read 1", Want: "EPERM", Inside: "vm-read " + own, Result: "EFAULT"},
		{Try: "pidfd-getfd 1", Want: "EPERM|ENOSYS", Inside: "pidfd-getfd " + own},
		{Try: "prlimit 1", Want: "EPERM", Inside: "prlimit 0"},
		{Try: "prlimit -1", Want: "EPERM"},
	}
}

// network are the host's loopback, its addresses, others' and those where clouds keep their secrets.
func (p *Prison) network(t *testing.T) []Attempt {
	attempts := []Attempt{
		{Try: "dial tcp 127.0.0.1:" + p.port, Want: "ECONNREFUSED", Inside: "dial tcp 127.0.0.1:7070", Outside: "dial tcp 127.0.0.1:" + p.port},
		{Try: "dial unix " + p.abstract, Want: "ECONNREFUSED", Outside: "dial unix " + p.abstract},
		{Try: "dial tcp 192.0.2.1:80", Want: "ENETUNREACH"},
		{Try: "dial udp 192.0.2.1:53", Want: "ENETUNREACH", Inside: "dial udp 127.0.0.1:53"},
		{Try: "dial tcp [2001:db8::1]:80", Want: "ENETUNREACH|EADDRNOTAVAIL"},
		{Try: "dial tcp 169.254.169.254:80", Want: "ENETUNREACH"},
		{Try: "dial tcp [fd00:ec2::254]:80", Want: "ENETUNREACH|EADDRNOTAVAIL"},
		{Try: "dial tcp 172.17.0.1:2375", Want: "ENETUNREACH"},
		{Try: "socket-vsock", Want: "EAFNOSUPPORT", Inside: "socket-inet"},
		{Try: "socket-packet", Want: "EAFNOSUPPORT|EPERM"},
		{Try: "socket-alg", Want: "EAFNOSUPPORT"},
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			attempts = append(attempts, Attempt{Try: "dial tcp " + ip.IP.String() + ":22", Want: "ENETUNREACH"})
		}
	}
	return attempts
}

// kernel are system calls that no workspace needs.
func (p *Prison) kernel() []Attempt {
	attempts := []Attempt{
		{Try: "clone-user", Want: "EPERM", Outside: "clone-user"}, {Try: "keyctl", Want: "EPERM", Outside: "keyctl"}, {Try: "add_key", Want: "EPERM", Outside: "add_key"},
		{Try: "personality", Want: "EPERM", Outside: "personality"}, {Try: "mknod /tmp/device", Want: "EPERM", Outside: "mknod " + p.planted + "-device"},
		{Try: "clone3", Want: "ENOSYS", Outside: "clone3"}, {Try: "x32", Want: "ENOSYS"}, {Try: "i386", Want: "ENOSYS"},
		{Try: "read /dev/mem", Want: "ENOENT", Inside: "read /dev/zero"}, {Try: "read /dev/kmsg", Want: "ENOENT"},
	}
	for _, try := range []string{
		"mount /tmp", "umount /usr", "open_tree", "fsopen", "chroot /tmp", "pivot_root /tmp", "unshare-user", "unshare-net", "setns /proc/self/ns/uts",
		"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at", "syslog",
		"reboot", "settimeofday", "init_module", "kexec_load", "tiocsti", "tiocsti-high", "mknod /workspace/device",
	} {
		attempts = append(attempts, Attempt{Try: try, Want: "EPERM"})
	}
	if !p.h.Root {
		attempts = append(attempts, Attempt{Try: "setuid", Want: "EPERM|EINVAL", Outside: "setuid"})
	}
	return attempts
}
