package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children are the processes that the agent started, and the orphans that it inherits as process 1. One place waits
// for all of them: a wait for any child beside os/exec's wait for one would steal its status. So nothing here calls
// Cmd.Wait or Process.Wait, and starting holds the lock that reaping takes, so that a child that ends at once is
// known before it is reaped (and os/exec reaps by itself, undisturbed, one that could not exec).
type children struct {
	mu   sync.Mutex
	live map[int]*child
	none *sync.Cond // signalled when there may be no child left
	left bool       // whether the last reaping left any child
}

// child is a process that the agent started.
type child struct {
	pid    int
	ended  chan struct{}
	status unix.WaitStatus // once ended is closed
}

func newChildren() *children {
	c := &children{live: make(map[int]*child)}
	c.none = sync.NewCond(&c.mu)
	return c
}

// start starts cmd, whose Stdin, Stdout and Stderr must be nil or files (others would need Cmd.Wait).
func (c *children) start(cmd *exec.Cmd) (*child, error) {
	for _, f := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if _, ok := f.(*os.File); f != nil && !ok {
			return nil, fmt.Errorf("start %s: not a file: %T", cmd.Path, f)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ch := &child{pid: cmd.Process.Pid, ended: make(chan struct{})}
	c.live[ch.pid] = ch
	c.left = true
	_ = cmd.Process.Release() // closes the pidfd, which nobody waits on
	return ch, nil
}

// reap collects every child that has ended.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD
			c.left = false
			c.none.Broadcast()
			return
		case pid == 0:
			return
		}
		if ch := c.live[pid]; ch != nil {
			delete(c.live, pid)
			ch.status = status
			close(ch.ended)
		}
	}
}

// code is a shell's view of how the child ended.
func (ch *child) code() int {
	<-ch.ended
	if ch.status.Signaled() {
		return 128 + int(ch.status.Signal())
	}
	return ch.status.ExitStatus()
}

// signalGroup signals the process group that the child leads, if any of it is left.
func (ch *child) signalGroup(s syscall.Signal) {
	_ = unix.Kill(-ch.pid, s) // ESRCH: nobody is left
}

// hangupGrace is how long a process may go on after it was hung up.
const hangupGrace = 2 * time.Second

// hangUp ends the process group that the child leads, as a terminal that goes away does, and returns when the child has ended.
func (ch *child) hangUp() {
	ch.signalGroup(syscall.SIGHUP)
	ch.signalGroup(syscall.SIGCONT)
	select {
	case <-ch.ended:
	case <-time.After(hangupGrace):
	}
	ch.signalGroup(syscall.SIGKILL)
	<-ch.ended
}

// hangUpSession ends all processes of the session that the child leads: a shell that is ended in the middle of a task leaves
// what that runs to itself.
func (ch *child) hangUpSession() {
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGCONT} {
		signalSession(ch.pid, s)
	}
	for deadline := time.Now().Add(hangupGrace); sessionLives(ch.pid) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	signalSession(ch.pid, syscall.SIGKILL)
	<-ch.ended
}

func signalSession(leader int, s syscall.Signal) {
	for pid, session := range sessions() {
		if session == leader {
			_ = unix.Kill(pid, s) // it may have ended
		}
	}
}

func sessionLives(leader int) bool {
	for _, session := range sessions() {
		if session == leader {
			return true
		}
	}
	return false
}

// sessions are the sessions of all processes that are seen here and have not ended, by process.
func sessions() map[int]int {
	of := map[int]int{}
	entries, _ := os.ReadDir("/proc") // without it there are none
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ") // proc_pid_stat(5): the name before it may hold anything
		if fields := strings.Fields(rest); len(fields) > 3 && fields[0] != "Z" {
			of[pid], _ = strconv.Atoi(fields[3])
		}
	}
	return of
}

// endAll asks every process of the workspace to end, and ends those that have not after grace.
func (c *children) endAll(grace time.Duration) {
	c.signalAll(syscall.SIGTERM)
	c.signalStarted(syscall.SIGHUP) // shells at a terminal ignore SIGTERM
	c.signalAll(syscall.SIGCONT)    // a stopped process takes its signals only then
	if c.waitNone(grace) {
		return
	}
	c.signalAll(syscall.SIGKILL)
	c.waitNone(grace)
}

// signalAll signals every process but ourselves. That is what -1 means for process 1 of a PID namespace; anywhere else
// it would be every process of the user, so only the sessions that we started are signalled.
func (c *children) signalAll(s syscall.Signal) {
	if os.Getpid() == 1 {
		_ = unix.Kill(-1, s) // ESRCH: nobody is there
		return
	}
	c.signalStarted(s)
}

// signalStarted signals the sessions of the terminals and commands that run.
func (c *children) signalStarted(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pid, session := range sessions() {
		if c.live[session] != nil {
			_ = unix.Kill(pid, s) // it may have ended
		}
	}
}

// waitNone waits until there is no child, at most for d.
func (c *children) waitNone(d time.Duration) bool {
	late := false
	timer := time.AfterFunc(d, func() {
		c.mu.Lock()
		late = true
		c.mu.Unlock()
		c.none.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.left && !late {
		c.none.Wait()
	}
	return !c.left
}
