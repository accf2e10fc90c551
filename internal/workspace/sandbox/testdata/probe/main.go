// Probe makes one attempt to get out of a sandbox and prints "ok" or the error's name. With -filter FILE it installs
// that seccomp program first, which shows what the filter does without the rest of the sandbox.
package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempts are the probe's words; argument is what follows the word, or "".
var attempts = map[string]func(argument string) error{
	"none":       func(string) error { return nil },
	"mount":      func(dir string) error { return unix.Mount("none", dir, "tmpfs", 0, "") },
	"umount":     func(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) },
	"open_tree":  func(string) error { return call(unix.SYS_OPEN_TREE, at, path("/usr"), 1) },
	"fsopen":     func(string) error { return call(unix.SYS_FSOPEN, path("tmpfs"), 0, 0) },
	"chroot":     func(dir string) error { return unix.Chroot(dir) },
	"pivot_root": func(dir string) error { return unix.PivotRoot(dir, dir) },

	"unshare-user": func(string) error { return unshare(unix.CLONE_NEWUSER) },
	"unshare-net":  func(string) error { return unshare(unix.CLONE_NEWNET) },
	"unshare-high": func(string) error { return call(unix.SYS_UNSHARE, 1<<32|unix.CLONE_NEWUSER, 0, 0) },
	"clone-user": func(string) error {
		cmd := exec.Command("/proc/self/exe", "none")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
		return cmd.Run()
	},
	"clone3": func(string) error {
		args := [11]uint64{unix.CLONE_NEWUSER, 4: uint64(unix.SIGCHLD)} // nobody waits for it; it ends at once
		pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
		if errno == 0 && pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		return nilOr(errno)
	},
	"setns": func(file string) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Setns(int(f.Fd()), 0)
	},

	"keyctl": func(string) error { return call(unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, keyring, 1) },
	"add_key": func(string) error {
		_, err := unix.AddKey("user", "probe", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
		return err
	},
	"request_key": func(string) error { return call(unix.SYS_REQUEST_KEY, path("user"), path("probe"), 0) },
	"bpf": func(string) error {
		attr := [16]uint64{2 | 4<<32, 4 | 1<<32}
		return call(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attr)), 72)
	},
	"perf_event_open": func(string) error {
		_, err := unix.PerfEventOpen(&unix.PerfEventAttr{Type: 1, Size: 112, Bits: 1 << 5}, 0, -1, -1, 0)
		return err
	},
	"userfaultfd": func(string) error { return call(unix.SYS_USERFAULTFD, 1, 0, 0) },
	"io_uring_setup": func(string) error {
		p := [30]uint64{}
		return call(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	},
	"name_to_handle_at": func(string) error { _, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/usr", 0); return err },
	"open_by_handle_at": func(string) error {
		_, err := unix.OpenByHandleAt(unix.AT_FDCWD, unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0}), unix.O_RDONLY)
		return err
	},
	"syslog":        func(string) error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil); return err },
	"personality":   func(string) error { return call(unix.SYS_PERSONALITY, 0x0400000, 0, 0) }, // READ_IMPLIES_EXEC
	"settimeofday":  func(string) error { return unix.Settimeofday(&unix.Timeval{Sec: -1}) },
	"swapon":        func(string) error { return call(unix.SYS_SWAPON, path("/nowhere"), 0, 0) },
	"reboot":        func(string) error { return unix.Reboot(0x7fffffff) }, // no such command: it cannot succeed
	"init_module":   func(string) error { return call(unix.SYS_INIT_MODULE, 0, 0, 0) },
	"kexec_load":    func(string) error { return call(unix.SYS_KEXEC_LOAD, 0, 99, 0) },
	"quotactl":      func(string) error { return call(unix.SYS_QUOTACTL, 0, 0, 0) },
	"socket-vsock":  func(string) error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM) },
	"socket-packet": func(string) error { return socket(unix.AF_PACKET, unix.SOCK_RAW) },
	"socket-alg":    func(string) error { return socket(unix.AF_ALG, unix.SOCK_SEQPACKET) },
	"socket-high":   func(string) error { return socket(1<<32|unix.AF_ALG, unix.SOCK_SEQPACKET) },
	"socket-inet":   func(string) error { return socket(unix.AF_INET, unix.SOCK_STREAM) },
	"x32":           func(string) error { return call(0x40000000|unix.SYS_GETPID, 0, 0, 0) },
	"i386":          i386,

	"mknod": func(file string) error { return unix.Mknod(file, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))) },
	"read":  read,
	"write": func(file string) error {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			f.Close()
		}
		return err
	},
	"create":  func(file string) error { return closed(os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)) },
	"remove":  os.Remove,
	"chmod":   func(file string) error { return os.Chmod(file, 0o777) },
	"readdir": func(dir string) error { _, err := os.ReadDir(dir); return err },
	"setuid":  func(string) error { return syscall.Setuid(0) },

	"kill":     func(a string) error { pid, s := target(a); return unix.Kill(pid, s) },
	"sigqueue": func(a string) error { pid, s := target(a); return sigqueue(pid, s, 0) },
	"sigqueue-high": func(a string) error { // the kernel takes the low 32 bits
		pid, s := target(a)
		return sigqueue(pid, s, 1<<32)
	},
	"tgsigqueue": func(a string) error {
		pid, s := target(a)
		info := siginfo(s)
		return call6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(pid), uintptr(pid), uintptr(s), uintptr(unsafe.Pointer(&info)))
	},
	"pidfd-signal": func(a string) error {
		pid, s := target(a)
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		info := siginfo(s)
		return call6(unix.SYS_PIDFD_SEND_SIGNAL, uintptr(fd), uintptr(s), uintptr(unsafe.Pointer(&info)), 0)
	},
	"setsig": setsig,
	"prlimit": func(a string) error {
		pid, _ := target(a)
		return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
	},
	"ptrace":  func(a string) error { pid, _ := target(a); runtime.LockOSThread(); return unix.PtraceAttach(pid) },
	"vm-read": vmRead,
	"pidfd-getfd": func(a string) error {
		pid, _ := target(a)
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		_, err = unix.PidfdGetfd(fd, 0, 0)
		return err
	},
	"dial": func(a string) error { // NETWORK ADDRESS
		network, address, _ := strings.Cut(a, " ")
		c, err := net.DialTimeout(network, address, 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	},
	"tiocsti":      func(string) error { return tiocsti(0) },
	"tiocsti-high": func(string) error { return tiocsti(1 << 32) },
}

func main() {
	args := os.Args[1:]
	runtime.LockOSThread()
	if len(args) > 2 && args[0] == "-filter" {
		if err := install(args[1]); err != nil {
			fmt.Println("the filter was not installed:", err)
			os.Exit(2)
		}
		args = args[2:]
	}
	if len(args) == 0 || attempts[args[0]] == nil {
		fmt.Println("usage: probe [-filter FILE] ATTEMPT [ARGUMENT], one of", slices.Sorted(maps.Keys(attempts)))
		os.Exit(2)
	}
	argument := strings.Join(args[1:], " ")
	err := attempts[args[0]](argument)
	var errno unix.Errno
	switch {
	case err == nil:
		fmt.Println("ok")
	case errors.As(err, &errno):
		fmt.Println(unix.ErrnoName(errno))
	default:
		fmt.Println(err)
	}
}

var (
	cwd     = -100 // AT_FDCWD
	at      = uintptr(cwd)
	process = -2 // KEY_SPEC_PROCESS_KEYRING
	keyring = uintptr(process)
)

func path(s string) uintptr { p, _ := unix.BytePtrFromString(s); return uintptr(unsafe.Pointer(p)) }

func nilOr(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func call(number, a, b, c uintptr) error {
	_, _, errno := unix.RawSyscall(number, a, b, c)
	return nilOr(errno)
}

func call6(number, a, b, c, d uintptr) error {
	_, _, errno := unix.RawSyscall6(number, a, b, c, d, 0, 0)
	return nilOr(errno)
}

// unshare of a user namespace takes a process of one thread, which a Go program is not: without a filter that is EINVAL.
func unshare(flags uintptr) error { return call(unix.SYS_UNSHARE, flags, 0, 0) }

func socket(family, kind uintptr) error { return call(unix.SYS_SOCKET, family, kind, 0) }

func closed(f *os.File, err error) error {
	if err == nil {
		f.Close()
	}
	return err
}

// read opens a file and reads a byte: some files of /proc refuse only then.
func read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := f.Read(make([]byte, 1))
	if n == 0 && err == nil {
		return errors.New("empty")
	}
	return err
}

// target parses "PID SIGNAL"; -1 is the last thread of process 1.
func target(a string) (pid int, s unix.Signal) {
	first, second, _ := strings.Cut(a, " ")
	pid, _ = strconv.Atoi(first)
	n, _ := strconv.Atoi(second)
	if pid == -1 {
		tasks, _ := os.ReadDir("/proc/1/task")
		pid, _ = strconv.Atoi(tasks[len(tasks)-1].Name())
	}
	return pid, unix.Signal(n)
}

// siginfo says that the signal was queued (SI_QUEUE), which no kernel fault says and kill(2) does not either.
func siginfo(s unix.Signal) [16]uint64 {
	var info [16]uint64
	code := int32(-1)
	p := (*[4]int32)(unsafe.Pointer(&info))
	p[0], p[2] = int32(s), code
	return info
}

func sigqueue(pid int, s unix.Signal, high uintptr) error {
	info := siginfo(s)
	return call(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid)|high, uintptr(s)|high, uintptr(unsafe.Pointer(&info)))
}

// setsig has the kernel send a signal to another process when a socket becomes readable.
func setsig(a string) error {
	pid, s := target(a)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETOWN, pid); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETSIG, int(s)); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, unix.O_ASYNC); err != nil {
		return err
	}
	_, err = unix.Write(fds[1], []byte("x"))
	time.Sleep(50 * time.Millisecond)
	return err
}

func vmRead(a string) error {
	pid, _ := target(a)
	word := make([]byte, 8)
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &word[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
	return err
}

func tiocsti(high uintptr) error {
	c := byte('\n')
	return call(unix.SYS_IOCTL, 0, high|unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
}

func install(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := struct {
		n    uint16
		code *byte
	}{uint16(len(b) / 8), &b[0]}
	return call(unix.SYS_SECCOMP, 1, 0, uintptr(unsafe.Pointer(&program)))
}
