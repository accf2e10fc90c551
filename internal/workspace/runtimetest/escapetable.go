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
		{try: "read " + p.planted, want: "ENOENT", inside: "read /etc/passwd"},
		{try: "readdir /proc/" + strconv.Itoa(os.Getpid()), want: "ENOENT", inside: "readdir /proc/" + own},
		{try: "readdir " + p.Harness.Sockets, want: "ENOENT", inside: "readdir /run/lanyard"},
		{try: "dial unix " + p.Harness.Sockets + "/" + p.other.Label() + "/lanyard.sock", want: "ENOENT", inside: "dial unix /run/lanyard/lanyard.sock"},
		{try: "dial unix /var/run/docker.sock", want: "ENOENT"},
		{try: "dial unix /run/containerd/containerd.sock", want: "ENOENT"},

		{try: "read /proc/1/environ", want: "EACCES|EPERM", inside: "read /proc/" + own + "/environ"},
		{try: "read /proc/1/maps", want: "EACCES|EPERM", inside: "read /proc/" + own + "/maps"},
		{try: "read /proc/1/mem", want: "EACCES|EPERM", inside: "read /proc/" + own + "/mem", result: "EIO"},
		{try: "write /proc/1/mem", want: "EACCES|EPERM", inside: "write /proc/" + own + "/mem"},
		{try: "read /proc/1/fd/0", want: "EACCES|EPERM|ENOENT"},
		{try: "readdir /proc/1/root/", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/root/"},
		{try: "readdir /proc/1/cwd/", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/cwd/"},
		{try: "read /proc/1/exe", want: "EACCES|EPERM", inside: "read /proc/" + own + "/exe"},
		{try: "read /proc/1/auxv", want: "EACCES|EPERM", inside: "read /proc/" + own + "/auxv"},
		{try: "read /proc/1/ns/net", want: "EACCES|EPERM"},

		{try: "create /opt/lanyard/x", want: "EROFS|EACCES", inside: "create /workspace/x"},
		{try: "read /opt/lanyard/lanyard-agent", want: "EACCES"},
		{try: "write /opt/lanyard/lanyard-agent", want: "EROFS|EACCES"},
		{try: "remove /opt/lanyard/lanyard-agent", want: "EROFS|EACCES"},
		{try: "chmod /opt/lanyard/lanyard-agent", want: "EROFS|EPERM", inside: "chmod /workspace/x"},
		{try: "create /run/lanyard/x", want: "EROFS|EACCES", inside: "create /tmp/x"},
		{try: "remove /run/lanyard/lanyard.sock", want: "EROFS|EACCES", inside: "remove /tmp/x"},
		{try: "chmod /run/lanyard", want: "EROFS|EPERM"},
		{try: "write /proc/sys/kernel/core_pattern", want: "EROFS|EACCES"},
		{try: "write /proc/sysrq-trigger", want: "EROFS|EACCES|ENOENT"},
		{try: "write /proc/sys/user/max_user_namespaces", want: "EROFS|EACCES|EPERM"},
	}
	if !p.h.Root {
		attempts = append(attempts,
			Attempt{try: "readdir /proc/1/fd", want: "EACCES|EPERM", inside: "readdir /proc/" + own + "/fd"},
			Attempt{try: "read /etc/shadow", want: "ENOENT|EACCES"},
			Attempt{try: "create /usr/x", want: "EROFS|EACCES"}, Attempt{try: "create /etc/x", want: "EROFS|EACCES"}, Attempt{try: "create /dev/x", want: "EROFS|EACCES", inside: "create /dev/shm/x"},
			Attempt{try: "write /proc/1/oom_score_adj", want: "EACCES|EPERM", inside: "write /proc/" + own + "/oom_score_adj"})
	}
	if p.h.Hidden != nil {
		for _, path := range p.h.Hidden(p.other) {
			attempts = append(attempts, Attempt{try: "read " + path, want: "ENOENT"}, Attempt{try: "dial unix " + path, want: "ENOENT"})
		}
	}
	if blocks, err := os.ReadDir("/sys/class/block"); err == nil {
		for _, b := range blocks {
			attempts = append(attempts, Attempt{try: "read /dev/" + b.Name(), want: "ENOENT"})
		}
	}
	return attempts
}

func (p *Prison) processes(own string) []Attempt {
	return []Attempt{
		{try: "ptrace 1", want: "EPERM", inside: "ptrace " + own},
		{try: "ptrace -1", want: "EPERM"},
		{try: "vm-read 1", want: "EPERM", inside: "vm-read " + own, result: "EFAULT"},
		{try: "pidfd-getfd 1", want: "EPERM|ENOSYS", inside: "pidfd-getfd " + own},
		{try: "prlimit 1", want: "EPERM", inside: "prlimit 0"},
		{try: "prlimit -1", want: "EPERM"},
	}
}

// network are the host's loopback, its addresses, others' and those where clouds keep their secrets.
func (p *Prison) network(t *testing.T) []Attempt {
	attempts := []Attempt{
		{try: "dial tcp 127.0.0.1:" + p.port, want: "ECONNREFUSED", inside: "dial tcp 127.0.0.1:7070"},
		{try: "dial unix " + p.abstract, want: "ECONNREFUSED"},
		{try: "dial tcp 192.0.2.1:80", want: "ENETUNREACH"},
		{try: "dial udp 192.0.2.1:53", want: "ENETUNREACH", inside: "dial udp 127.0.0.1:53"},
		{try: "dial tcp [2001:db8::1]:80", want: "ENETUNREACH|EADDRNOTAVAIL"},
		{try: "dial tcp 169.254.169.254:80", want: "ENETUNREACH"},
		{try: "dial tcp [fd00:ec2::254]:80", want: "ENETUNREACH|EADDRNOTAVAIL"},
		{try: "dial tcp 172.17.0.1:2375", want: "ENETUNREACH"},
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
			attempts = append(attempts, Attempt{try: "dial tcp " + ip.IP.String() + ":22", want: "ENETUNREACH"})
		}
	}
	return attempts
}

// kernel are system calls that no workspace needs.
func (p *Prison) kernel() []Attempt {
	var attempts []Attempt
	for _, try := range []string{
		"mount /tmp", "umount /usr", "open_tree", "fsopen", "chroot /tmp", "pivot_root /tmp", "unshare-user", "unshare-net", "clone-user", "setns /proc/self/ns/uts",
		"keyctl", "add_key", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at", "syslog", "personality",
		"reboot", "settimeofday", "init_module", "kexec_load", "tiocsti", "tiocsti-high", "mknod /tmp/device", "mknod /workspace/device",
	} {
		attempts = append(attempts, Attempt{try: try, want: "EPERM"})
	}
	if !p.h.Root {
		attempts = append(attempts, Attempt{try: "setuid", want: "EPERM|EINVAL"})
	}
	return append(attempts,
		Attempt{try: "clone3", want: "ENOSYS"}, Attempt{try: "x32", want: "ENOSYS"}, Attempt{try: "i386", want: "ENOSYS"},
		Attempt{try: "read /dev/mem", want: "ENOENT", inside: "read /dev/zero"}, Attempt{try: "read /dev/kmsg", want: "ENOENT"},
	)
}
