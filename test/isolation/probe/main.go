// Probe runs inside a workspace, and outside as a control, and tries what must not be possible. It prints "ok", the
// name of the error, or what it was told.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/tunnel"
)

var attempts = map[string]func(args []string) error{
	"read": func(a []string) error {
		f, err := os.Open(a[0])
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	},
	"write": func(a []string) error {
		f, err := os.OpenFile(a[0], os.O_WRONLY, 0)
		if err == nil {
			f.Close()
		}
		return err
	},
	"create": func(a []string) error {
		f, err := os.OpenFile(a[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			return os.Remove(a[0])
		}
		return err
	},
	"list":  func(a []string) error { _, err := os.ReadDir(a[0]); return err },
	"chmod": func(a []string) error { return os.Chmod(a[0], 0o777) },
	"link":  func(a []string) error { defer os.Remove(a[1]); return os.Link(a[0], a[1]) },
	"dial": func(a []string) error {
		c, err := net.DialTimeout(a[0], a[1], 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	},
	"lookup": func(a []string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := net.DefaultResolver.LookupHost(ctx, a[0])
		return err
	},
	"ptrace": func(a []string) error { runtime.LockOSThread(); return unix.PtraceAttach(number(a[0])) },
	"kill":   func(a []string) error { return unix.Kill(number(a[0]), unix.Signal(number(a[1]))) },
	"peek": func(a []string) error {
		word := make([]byte, 8)
		_, err := unix.ProcessVMReadv(number(a[0]), []unix.Iovec{{Base: &word[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
		return err
	},
	"renice":  func(a []string) error { return unix.Setpriority(unix.PRIO_PROCESS, number(a[0]), 19) },
	"unshare": func(a []string) error { return started(&syscall.SysProcAttr{Unshareflags: uintptr(number(a[0]))}) },
	"clone":   func(a []string) error { return started(&syscall.SysProcAttr{Cloneflags: uintptr(number(a[0]))}) },
	"mount":   func(a []string) error { return unix.Mount("none", a[0], "tmpfs", 0, "") },
	"remount": func(a []string) error { return unix.Mount("none", a[0], "", unix.MS_REMOUNT|unix.MS_BIND, "") },
	"umount":  func(a []string) error { return unix.Unmount(a[0], unix.MNT_DETACH) },
	"chroot":  func(a []string) error { return unix.Chroot(a[0]) },
	"device": func(a []string) error {
		defer os.Remove(a[0])
		return unix.Mknod(a[0], unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1)))
	},
	"socket": func(a []string) error {
		fd, err := unix.Socket(number(a[0]), number(a[1]), 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	},
	"root":    func([]string) error { return syscall.Setuid(0) },
	"setuser": func(a []string) error { return syscall.Setuid(number(a[0])) },
}

func number(s string) int { n, _ := strconv.ParseInt(s, 0, 64); return int(n) } // arguments are the test's own

func started(how *syscall.SysProcAttr) error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = how
	return cmd.Run()
}

func main() {
	if len(os.Args) < 2 {
		fmt.Println("usage: probe ATTEMPT [ARGUMENT…]")
		os.Exit(2)
	}
	args := os.Args[2:]
	if os.Args[1] == "tunnel" {
		throughTunnel(args)
		return
	}
	try := attempts[os.Args[1]]
	if try == nil {
		fmt.Println("there is no attempt", os.Args[1])
		os.Exit(2)
	}
	err := try(args)
	var errno syscall.Errno
	switch {
	case err == nil:
		fmt.Println("ok")
	case errors.As(err, &errno):
		fmt.Println(unix.ErrnoName(errno))
	default:
		fmt.Println(err)
	}
}

// Answer is what a request through the tunnel got.
type Answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
	Error  string `json:"error,omitempty"`
}

// throughTunnel speaks the tunnel's protocol itself, past the agent: arguments are the socket, then a request each:
// "METHOD PATH [Name: value]…" with a tab between them.
func throughTunnel(args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := tunnel.Dial(ctx, tunnel.Peer{Socket: args[0], Build: "probe", Start: strings.Repeat("p", 26)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer conn.Close()
	for _, line := range args[1:] {
		fields := strings.Split(line, "\t")
		method, path, _ := strings.Cut(fields[0], " ")
		answer := ask(ctx, conn, method, path, fields[1:])
		text, err := json.Marshal(answer)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("%s\n", text)
	}
}

func ask(ctx context.Context, conn *tunnel.Conn, method, path string, headers []string) (a Answer) {
	r, err := http.NewRequestWithContext(ctx, method, "http://lanyard"+path, nil)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header[name] = []string{value} // as it is spelt
		}
	}
	resp, err := conn.Transport().RoundTrip(r)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		a.Error = err.Error()
	}
	a.Status, a.Body = resp.StatusCode, string(body)
	return a
}
