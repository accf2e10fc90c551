package space

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

const nameless = 8 << 20

// TestMain is also a process that has files without a name, where it is told to be.
func TestMain(m *testing.M) {
	dir := os.Getenv("LANYARD_TEST_HOLDS")
	if dir == "" {
		os.Exit(m.Run())
	}
	for _, hold := range []func(int) error{open, mapped, ofAThread, sent} {
		f, err := os.CreateTemp(dir, "")
		if err == nil {
			err = unix.Fallocate(int(f.Fd()), 0, 0, nameless)
		}
		if err == nil {
			err = errors.Join(os.Remove(f.Name()), hold(int(f.Fd())), f.Close())
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func open(fd int) error {
	_, err := unix.Dup(fd)
	return err
}

func mapped(fd int) error {
	_, err := unix.Mmap(fd, 0, 1<<16, unix.PROT_READ, unix.MAP_SHARED)
	return err
}

// ofAThread leaves the file to a thread that has open files of its own.
func ofAThread(fd int) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- unix.Unshare(unix.CLONE_FILES)
		select {}
	}()
	return <-done
}

// sent leaves the file in a socket, where nobody receives it.
func sent(fd int) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(fd), nil, 0)
}

// A file that was removed while it is open takes as much as before.
func TestAttack27RemovedFilesAreCounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a PID namespace needs root")
	}
	dir := t.TempDir()
	if os.WriteFile(filepath.Join(dir, "x"), make([]byte, 4096), 0o600) != nil {
		t.Fatal("no file")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "LANYARD_TEST_HOLDS="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no PID namespace here: %v", err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "held\n" {
		t.Fatalf("%q", line)
	}
	use := OfWorkspace(t.Context(), cmd.Process.Pid, []string{dir}, workspace.DiskUse{})
	if want := int64(3 * nameless); use.Bytes < want || use.Bytes > want+64<<10 || use.Files != 5 || !use.Hidden {
		t.Errorf("counted: %+v", use)
	}
	if use := OfWorkspace(t.Context(), cmd.Process.Pid, []string{dir}, workspace.DiskUse{Bytes: nameless + 1<<20}); use.Files != 2 {
		t.Errorf("it did not end as soon as it was enough: %+v", use)
	}
	if use := OfWorkspace(t.Context(), cmd.Process.Pid, []string{"/proc"}, workspace.DiskUse{Files: 10}); use.Bytes != 0 {
		t.Errorf("what lies elsewhere was counted: %+v", use)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
