package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Confine takes on the filter of system calls that a runtime put into a file, an array of struct sock_filter in this machine's
// byte order, for all threads of this process and so for all its children. No file: the runtime has seen to it itself.
// See seccomp(2).
func Confine(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("agent: filter of system calls: %w", err)
	}
	const size = 8 // of struct sock_filter
	if len(b) == 0 || len(b)%size != 0 {
		return fmt.Errorf("agent: the filter of system calls has %d bytes", len(b))
	}
	program := make([]unix.SockFilter, len(b)/size)
	for i := range program {
		in := b[size*i:]
		program[i] = unix.SockFilter{Code: binary.NativeEndian.Uint16(in), Jt: in[2], Jf: in[3], K: binary.NativeEndian.Uint32(in[4:])}
	}
	runtime.LockOSThread() // what is set for this thread is spread to the others with the filter
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("agent: no new privileges: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	failed, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	switch {
	case errno != 0:
		return fmt.Errorf("agent: filter of system calls: %w", errno)
	case failed != 0:
		return fmt.Errorf("agent: the filter of system calls could not be set for thread %d", failed)
	}
	return nil
}
