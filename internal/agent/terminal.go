package agent

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const (
	mainTerminal = "main" // the one that people open first
	maxTerminals = 64
	// A viewer that is further behind than this holds the terminal's output up, as a slow screen does …
	viewerLag = 128 << 10
	// … but not longer than this: then it is dropped, and may attach again.
	viewerPatience = 10 * time.Second
)

// terminals are the open terminals by name.
type terminals struct {
	mu     sync.Mutex
	open   map[string]*terminal
	closed bool
}

func (t *terminals) names() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.open))
}

// terminal is a shell on a pseudo-terminal, and what it wrote. It lives until the shell ends, attached or not.
type terminal struct {
	name   string
	master *os.File
	child  *child
	over   chan struct{} // closed when it is no terminal any more
	file   *taskLog      // where a task's output is kept, too

	mu      sync.Mutex
	changed *sync.Cond // output came, a viewer came, moved or went, or the shell ended
	output  scrollback
	viewers map[*viewer]struct{}
	ended   bool // no more output will come
}

// viewer is one attached connection and the position of what it was sent.
type viewer struct {
	position int64
	dropped  bool // it was too slow
}

// attach returns the terminal of that name, which it starts if there is none.
func (a *Agent) attach(name string, size agentapi.Size) (*terminal, error) {
	t, _, err := a.openTerminal(name, size, nil, func() *exec.Cmd { return a.shellCommand(atTerminal(nil), a.config.Shell, "-i") })
	return t, err
}

// openTerminal returns the terminal of that name, or starts a command at a new one.
func (a *Agent) openTerminal(name string, size agentapi.Size, file *taskLog, command func() *exec.Cmd) (term *terminal, fresh bool, err error) {
	t := &a.terminals
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, errors.New("the workspace is stopping")
	}
	if open := t.open[name]; open != nil {
		return open, false, nil
	}
	if len(t.open) >= maxTerminals {
		return nil, false, fmt.Errorf("%d terminals are open, which is the most there may be", maxTerminals)
	}
	master, ch, err := a.startOnTerminal(command(), size)
	if err != nil {
		return nil, false, fmt.Errorf("start a shell: %w", err)
	}
	term = &terminal{name: name, master: master, child: ch, file: file, over: make(chan struct{}), viewers: make(map[*viewer]struct{})}
	term.changed = sync.NewCond(&term.mu)
	t.open[name] = term
	a.changes.tell()
	go func() {
		term.pump()
		t.mu.Lock()
		delete(t.open, name)
		t.mu.Unlock()
		master.Close()
		close(term.over)
		a.changes.tell()
	}()
	return term, true, nil
}

// startOnTerminal starts cmd as the leader of a session whose controlling terminal is new.
func (a *Agent) startOnTerminal(cmd *exec.Cmd, size agentapi.Size) (*os.File, *child, error) {
	opened, tty, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer tty.Close()
	master, err := unblocked(opened)
	if err != nil {
		return nil, nil, err
	}
	resize(master, size)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ch, err := a.children.start(cmd)
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, ch, nil
}

// unblocked makes a file of a terminal wait as Go's other files do: with deadlines, and without a thread of its own.
func unblocked(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func resize(master *os.File, s agentapi.Size) {
	if s.Cols == 0 || s.Rows == 0 {
		s = agentapi.Size{Cols: 80, Rows: 24}
	}
	conn, err := master.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: s.Cols, Row: s.Rows}) // the shell is gone if this fails
	})
}

// pump moves the shell's output into the scrollback until there is no more.
func (t *terminal) pump() {
	go func() {
		// Processes that the shell left in the background may hold the terminal; their output ends with the shell.
		<-t.child.ended
		lastWords(t.master)
	}()
	buffer := make([]byte, 32<<10)
	out := newOutput(t.master)
	for {
		n, err := out.Read(buffer)
		t.mu.Lock()
		t.file.write(buffer[:n])
		t.waitForViewers()
		t.output.write(buffer[:n])
		if err != nil { // EIO: no process has the terminal open any more
			t.mu.Unlock()
			break
		}
		t.changed.Broadcast()
		t.mu.Unlock()
	}
	t.child.signalGroup(syscall.SIGHUP)
	<-t.child.ended
	t.mu.Lock()
	t.ended = true
	t.changed.Broadcast()
	t.mu.Unlock()
}

// waitForViewers waits until every viewer has most of what is kept, and drops those that do not move.
func (t *terminal) waitForViewers() {
	behind := func(v *viewer) bool { return !v.dropped && t.output.end-v.position > viewerLag }
	late := false
	var timer *time.Timer
	for {
		slow := false
		for v := range t.viewers {
			if behind(v) {
				slow = true
				v.dropped = v.dropped || late
			}
		}
		if !slow || late {
			break
		}
		if timer == nil {
			timer = time.AfterFunc(viewerPatience, func() {
				t.mu.Lock()
				late = true
				t.changed.Broadcast()
				t.mu.Unlock()
			})
			defer timer.Stop()
		}
		t.changed.Wait()
	}
}

// view adds a viewer and returns what it should show first.
func (t *terminal) view() (*viewer, []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	history, next := t.output.history()
	v := &viewer{position: next}
	t.viewers[v] = struct{}{}
	return v, replayable(history)
}

// text is what is kept of the terminal's output.
func (t *terminal) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	history, _ := t.output.history()
	return history
}

// next waits for output that v has not got, and returns how much was copied into p; 0 means that there will be none.
func (t *terminal) next(v *viewer, p []byte) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		if v.dropped {
			return 0
		}
		n, next := t.output.read(v.position, p)
		if n > 0 {
			v.position = next
			t.changed.Broadcast()
			return n
		}
		if t.ended {
			return 0
		}
		t.changed.Wait()
	}
}

// leave takes a viewer away and wakes it.
func (t *terminal) leave(v *viewer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v.dropped = true
	delete(t.viewers, v)
	t.changed.Broadcast()
}

// closeAll hangs up every terminal.
func (t *terminals) closeAll() {
	t.mu.Lock()
	t.closed = true
	open := slices.Collect(maps.Values(t.open))
	t.mu.Unlock()
	for _, term := range open {
		term.child.signalGroup(syscall.SIGHUP)
	}
}
