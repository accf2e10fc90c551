package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is a peer that somebody else wrote: a server of its own, with a configuration made for one benchmark. It has a
// process group of its own, by which what it costs is counted and by which it is ended.
type daemon struct {
	name    string
	address string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// missing says which program of a peer is not installed; nil when all are.
func missing(programs ...string) error {
	for _, p := range programs {
		if filepath.IsAbs(p) {
			if _, err := os.Stat(p); err != nil {
				return fmt.Errorf("%s is not installed; `make needs-bench` installs it", filepath.Base(p))
			}
		} else if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed; `make needs-bench` installs it", p)
		}
	}
	return nil
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// startDaemon starts a program and waits until it takes connections. What it says is in a file of its folder, and in the
// error when it does not start.
func startDaemon(ctx context.Context, folder, name, address string, env []string, argv ...string) (*daemon, error) {
	said := filepath.Join(folder, "said")
	out, err := os.Create(said)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d := &daemon{name: name, address: address, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = folder, out, out
	d.cmd.Env = append(os.Environ(), env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // what it said is in the file
	}()
	dialer := net.Dialer{Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if c, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			c.Close()
			return d, nil
		}
		select {
		case <-d.ended:
			end = time.Now()
		case <-ctx.Done():
			end = time.Now()
		case <-time.After(20 * time.Millisecond):
		}
	}
	d.close()
	text, err := os.ReadFile(said)
	return nil, errors.Join(fmt.Errorf("%s did not start: %s", name, strings.TrimSpace(string(text))), err)
}

// cpu is the CPU time that all processes of the group have taken, those included that have ended and were waited for.
func (d *daemon) cpu(context.Context) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil { // it has just ended
			continue
		}
		// proc_pid_stat(5): what follows the name, which may hold anything, begins with the third field.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 15 || fields[2] != strconv.Itoa(d.cmd.Process.Pid) {
			continue
		}
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go runs Linux on
	return time.Duration(ticks) * tick, nil
}

// close ends the daemon and all that it started.
func (d *daemon) close() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGTERM) // it may have ended by itself
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	<-d.ended
}
