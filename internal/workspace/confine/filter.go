// Package confine holds what every runtime on a machine of Lanyard's own does to its workspaces alike: the filter of system
// calls, and the agent as a program that its user may run and not read.
package confine

import (
	"encoding/binary"
	"fmt"
	"math"
	"syscall"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// rule refuses a system call with errno; with tests, only when all of them hold.
type rule struct {
	name  string
	errno syscall.Errno
	tests []argTest
}

// argTest looks at the low 32 bits of an argument. The kernel takes a command, a signal or a PID from those bits alone,
// so a comparison of all 64 would be passed by setting a higher one (CVE-2019-10063).
type argTest struct {
	arg   int
	op    bpf.JumpTest // on the low 32 bits
	value uint32
}

// synchronous are the signals that a Go program takes for a fault of its own unless they were sent by kill(2).
var synchronous = []syscall.Signal{
	syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSTKFLT, syscall.SIGSYS,
}

// refused are whole system calls that no program of a workspace needs, each a way to the host's kernel or beyond the
// namespaces. Names that an architecture does not have are skipped.
var refused = []string{
	// mounts
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	// the kernel itself
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "lookup_dcookie", "syslog", "uselib", "nfsservctl", "_sysctl", "sysfs", "ustat",
	// keys are not namespaced
	"add_key", "request_key", "keyctl",
	// other namespaces, and files past path lookup
	"setns", "open_by_handle_at", "name_to_handle_at",
	// the machine
	"reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "vhangup", "iopl", "ioperm", "vm86", "vm86old",
}

// conditional are system calls that are refused for some arguments.
func conditional() []rule {
	deny := func(name string, tests ...argTest) rule { return rule{name: name, errno: syscall.EPERM, tests: tests} }
	rules := []rule{
		// Flags of clone3 are in memory, where a filter cannot look; without it the C library uses clone.
		{name: "clone3", errno: syscall.ENOSYS},
		deny("clone", argTest{0, bpf.JumpBitsSet, newNamespace}),
		deny("unshare", argTest{0, bpf.JumpBitsSet, newNamespace | unix.CLONE_NEWTIME}),
		// Typing into another's terminal, the console's selection, line disciplines.
		deny("ioctl", argTest{1, bpf.JumpEqual, unix.TIOCSTI}),
		deny("ioctl", argTest{1, bpf.JumpEqual, unix.TIOCLINUX}),
		deny("ioctl", argTest{1, bpf.JumpEqual, unix.TIOCSETD}),
		// Limits of another process, above all of process 1.
		deny("prlimit64", argTest{0, bpf.JumpNotEqual, 0}),
	}
	// Sockets of other families than these reach past the network namespace (vsock), or kernel code that is seldom
	// looked at.
	for _, name := range []string{"socket", "socketpair"} {
		rules = append(rules, rule{name: name, errno: syscall.EAFNOSUPPORT, tests: []argTest{
			{0, bpf.JumpNotEqual, unix.AF_UNIX}, {0, bpf.JumpNotEqual, unix.AF_INET}, {0, bpf.JumpNotEqual, unix.AF_INET6}, {0, bpf.JumpNotEqual, unix.AF_NETLINK},
		}})
	}
	// Personalities: Linux, 32-bit Linux, with uname26 or without, without address randomisation (debuggers), the question.
	personality := rule{name: "personality", errno: syscall.EPERM}
	for _, allowed := range []uint32{0, 0x0008, 0x0020000, 0x0020008, 0x0040000, math.MaxUint32} {
		personality.tests = append(personality.tests, argTest{0, bpf.JumpNotEqual, allowed})
	}
	rules = append(rules, personality)
	// A fault signal that does not say it was sent by kill(2) would end the agent: not by a queued signal with a
	// chosen cause, not as the signal of a file's readiness.
	for _, s := range synchronous {
		rules = append(rules,
			deny("rt_sigqueueinfo", argTest{1, bpf.JumpEqual, uint32(s)}),
			deny("rt_tgsigqueueinfo", argTest{2, bpf.JumpEqual, uint32(s)}),
			deny("pidfd_send_signal", argTest{1, bpf.JumpEqual, uint32(s)}),
			deny("fcntl", argTest{1, bpf.JumpEqual, unix.F_SETSIG}, argTest{2, bpf.JumpEqual, uint32(s)}))
	}
	return rules
}

// newNamespace are the flags of clone(2) and unshare(2) that make a namespace.
const newNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Offsets in struct seccomp_data (seccomp(2)).
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// FilterName is the file's name beside the agent that holds the filter, where the agent itself takes it on.
const FilterName = "seccomp"

// Filter returns the filter of system calls for this machine's architecture, as the kernel takes it: an array of struct
// sock_filter. Calls of any other ABI, which have other numbers, are refused.
func Filter() ([]byte, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("confine: seccomp: %w", err)
	}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: dataArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		refuse(syscall.ENOSYS),
		bpf.LoadAbsolute{Off: dataNumber, Size: 4},
	}
	if info.ID == arch.X86_64.ID {
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: uint32(arch.X32.SeccompMask), SkipFalse: 1},
			refuse(syscall.ENOSYS))
	}
	rules := conditional()
	for _, name := range refused {
		rules = append(rules, rule{name: name, errno: syscall.EPERM})
	}
	for _, r := range rules {
		if number, ok := info.SyscallNames[r.name]; ok {
			program = append(program, r.assemble(uint32(number))...)
		}
	}
	program = append(program, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})
	return encode(program)
}

func refuse(e syscall.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

// assemble returns the rule's instructions. The accumulator holds the call's number before and after them.
func (r rule) assemble(number uint32) []bpf.Instruction {
	if len(r.tests) == 0 {
		return []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: 1},
			refuse(r.errno),
		}
	}
	end := 2*len(r.tests) + 1 // instructions from the first test to the number's reload
	program := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(end + 1)}}
	for i, t := range r.tests {
		rest := uint8(end - 2*i - 2) // from behind this test to the reload
		program = append(program,
			bpf.LoadAbsolute{Off: uint32(dataArgs + 8*t.arg), Size: 4}, // the low half on little-endian machines
			bpf.JumpIf{Cond: t.op, Val: t.value, SkipFalse: rest})
	}
	return append(program, refuse(r.errno), bpf.LoadAbsolute{Off: dataNumber, Size: 4})
}

// encode writes struct sock_filter { u16 code; u8 jt, jf; u32 k; } for each instruction.
func encode(program []bpf.Instruction) ([]byte, error) {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("confine: seccomp: %w", err)
	}
	out := make([]byte, 0, 8*len(raw))
	for _, in := range raw {
		out = binary.NativeEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out, nil
}
