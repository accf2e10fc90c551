package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/confine"
)

// launchTime is how long bubblewrap and the agent may take, which on an idle machine need some 20 ms.
const launchTime = 30 * time.Second

// launch is one start of a workspace.
type launch struct {
	spec   workspace.Spec
	dir    string // the workspace's folder
	files  string // what is /workspace inside
	socket string // the folder to mount at /run/lanyard
	shared *shared
	guest  guest
	state  state
}

// The descriptors that bubblewrap is given, in the order of ExtraFiles.
const (
	fdFilter  = 3 + iota // seccomp program, to read
	fdInfo               // bubblewrap writes which process it made
	fdStarter            // passed on to the agent, see agentapi.StarterEnv
	fdArgs               // bubblewrap's arguments: a command line is seen by every user of the machine
)

// launch starts bubblewrap. Process 1 is noted down before the agent may go on, and the agent ends when nobody tells
// it to go on: so a server that dies in between leaves no process that nobody knows.
func (r *Runtime) launch(ctx context.Context, l launch) error {
	ctx, cancel := context.WithTimeoutCause(ctx, launchTime, errors.New("the sandbox did not start in time"))
	defer cancel()
	bwrap, err := r.bwrapPath()
	if err != nil {
		return err
	}
	logPath := filepath.Join(l.dir, "agent.log")
	logFile, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer logFile.Close()
	filter, err := filledPipe(l.shared.filter)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer filter.Close()
	info, err := memoryFile("made")
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer info.Close()
	starter, starterTheirs, err := socketPair()
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer starter.Close()
	defer starterTheirs.Close()

	args, err := filledFile(arguments(l))
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer args.Close()
	line := []string{bwrap, "--args", strconv.Itoa(fdArgs), "--", "/opt/lanyard/" + confine.AgentName}
	if l.spec.Image.Path != "" && r.asRoot {
		defer func() {
			if err := unmountRoot(l.dir); err != nil {
				r.log.Error("sandbox: what was mounted for a start is still there", "workspace", l.spec.ID, "err", err)
			}
		}()
		if err := mountRoot(l.dir, l.spec.Image.Path, l.state.UID); err != nil {
			return err
		}
	} else if l.spec.Image.Path != "" {
		if line, err = mountInside(l, line...); err != nil {
			return err
		}
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = []*os.File{filter, info, starterTheirs, args}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals of the server's terminal are not the workspace's
	if r.asRoot {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(l.state.UID), Gid: uint32(l.state.UID)}
	}
	if err := l.state.Groups.start(cmd); err != nil {
		return fmt.Errorf("sandbox: start bubblewrap: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // what it said is in its log; while the server lives it leaves no zombie
	}()
	starterTheirs.Close()

	p, err := handOver(ctx, info, starter, cmd.Process.Pid, func(p *process) error {
		l.state.Process = p
		return writeState(l.dir, l.state)
	})
	if err == nil {
		return nil
	}
	r.abandon(cmd, p, ended)
	l.state.Process = nil
	return errors.Join(r.explain(ctx, l, logPath, err), writeState(l.dir, l.state))
}

// handOver waits for the agent, learns which process was made, has it noted and lets the agent go on. The process is
// returned also beside an error, once it is known.
func handOver(ctx context.Context, info, starter *os.File, bwrap int, note func(*process) error) (*process, error) {
	stop := context.AfterFunc(ctx, func() { _ = starter.SetReadDeadline(time.Now()) })
	defer stop()
	answer := make([]byte, len(agentapi.StarterReady))
	_, silent := io.ReadFull(starter, answer)
	p, err := whatWasMade(info, bwrap)
	if silent != nil || string(answer) != agentapi.StarterReady {
		return p, fmt.Errorf("the agent did not begin: %w", errors.Join(silent, context.Cause(ctx)))
	}
	if err != nil {
		return nil, fmt.Errorf("what bubblewrap made: %w", err)
	}
	if err := note(p); err != nil {
		return p, err
	}
	if _, err := starter.WriteString(agentapi.StarterGo); err != nil {
		return p, fmt.Errorf("the agent ended at once: %w", err)
	}
	return p, nil
}

// whatWasMade reads which process bubblewrap made. Bubblewrap writes it to a file in memory and not to a pipe: when the server
// dies at that moment a pipe would break, and bubblewrap with it, and the process that it made would wait for it for ever.
func whatWasMade(info *os.File, bwrap int) (*process, error) {
	var made struct {
		PID int `json:"child-pid"`
	}
	if err := json.NewDecoder(io.NewSectionReader(info, 0, 4<<10)).Decode(&made); err != nil {
		return nil, err
	}
	p, parent, err := findProcess(made.PID)
	if err != nil {
		return nil, err
	}
	if parent != bwrap {
		return nil, fmt.Errorf("process %d is another's", made.PID)
	}
	return p, nil
}

// abandon ends what a failed start left.
func (r *Runtime) abandon(cmd *exec.Cmd, p *process, ended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if p != nil {
		if err := p.kill(ctx); err != nil {
			r.log.Error("sandbox: a process that failed to start cannot be ended", "pid", p.PID, "err", err)
		}
	} else if err := unix.Kill(-cmd.Process.Pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		r.log.Error("sandbox: bubblewrap cannot be ended", "pid", cmd.Process.Pid, "err", err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// explain makes a failed start's error from what bubblewrap or the agent said.
func (r *Runtime) explain(ctx context.Context, l launch, logPath string, cause error) error {
	if err := context.Cause(ctx); err != nil {
		return problem.Wrap(errors.Join(err, cause), problem.Unavailable, "The workspace %s did not start: %v.", l.spec.ID, err)
	}
	said, _ := os.ReadFile(logPath) // without it the cause must do
	text := strings.TrimSpace(string(said[max(0, len(said)-2000):]))
	if text == "" {
		text = "bubblewrap ended without a word"
	}
	return problem.Wrap(fmt.Errorf("%w: %s", cause, text), problem.Unavailable, "The workspace %s did not start: %s", l.spec.ID, text)
}

// filledPipe returns a pipe's end that gives b and then ends; b fits into a pipe.
func filledPipe(b []byte) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	if _, err := write.Write(b); err != nil {
		read.Close()
		return nil, err
	}
	return read, nil
}

// filledFile returns a file in memory that holds each of args and a zero after it, to be read from its beginning.
func filledFile(args []string) (*os.File, error) {
	for _, a := range args {
		if strings.ContainsRune(a, 0) {
			return nil, errors.New("an argument holds a zero")
		}
	}
	f, err := memoryFile("arguments")
	if err != nil {
		return nil, err
	}
	if _, err = f.WriteString(strings.Join(args, "\x00") + "\x00"); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// memoryFile returns a file that is in memory alone.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// socketPair returns two connected sockets; the first can be waited on with a deadline.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "starter"), os.NewFile(uintptr(fds[1]), "starter"), nil
}
