package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// plumbing runs Git on a checkout for the agent's own purposes: without hooks, a monitor of files, a pager, replaced
// objects, or work in the background.
type plumbing struct {
	agent *Agent
	dir   string            // the checkout
	env   map[string]string // beside the children's
}

// guarded are the settings under which Git starts none of what a repository's configuration may name.
var guarded = []string{
	"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
	"-c", "protocol.allow=never", "--no-pager",
}

// strictly is for objects that somebody else made: what the person configured for Git does not take part.
func (g plumbing) strictly() plumbing {
	g.env = maps.Clone(g.env)
	if g.env == nil {
		g.env = map[string]string{}
	}
	g.env["GIT_CONFIG_GLOBAL"] = "/dev/null"
	g.env["GIT_ATTR_NOSYSTEM"] = "1"
	return g
}

// run runs Git with what is read from in, which may be nil, and gives its output to out. What Git says when it fails is
// the error.
func (g plumbing) run(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.Command("git", append(append([]string{}, guarded...), args...)...)
	if cmd.Err != nil {
		return errors.New("git is not installed in the workspace")
	}
	cmd.Dir = g.dir
	env := map[string]string{
		"GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0",
		"GIT_CEILING_DIRECTORIES": g.agent.config.Workspace, "GIT_LFS_SKIP_SMUDGE": "1",
	}
	maps.Copy(env, g.env)
	cmd.Env = g.agent.environment(env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipes, err := newPipes(cmd, in != nil)
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	defer pipes.close()
	ch, err := g.agent.children.start(cmd)
	pipes.started()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		ch.signalGroup(syscall.SIGKILL)
		pipes.close() // something that left the group may have them still
	})
	defer stop()
	var work sync.WaitGroup
	var fed, given error
	if in != nil {
		work.Go(func() {
			_, fed = io.Copy(pipes.in, in)
			pipes.in.Close()
		})
	}
	var said bytes.Buffer
	work.Go(func() {
		_, _ = io.Copy(&said, io.LimitReader(pipes.err, 16<<10))
		_, _ = io.Copy(io.Discard, pipes.err)
	})
	work.Go(func() {
		if _, given = io.Copy(out, pipes.out); given != nil {
			ch.signalGroup(syscall.SIGKILL) // nobody reads any more
		}
	})
	code := ch.code()
	work.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case given != nil:
		return given
	case code != 0:
		text := printable(strings.ReplaceAll(strings.TrimSpace(said.String()), "\n", "; "))
		if text == "" {
			text = fmt.Sprintf("git %s ended with status %d", args[0], code)
		}
		return &gitError{text, code}
	case fed != nil && !errors.Is(fed, syscall.EPIPE):
		return fed
	}
	return nil
}

// gitError is what Git said when it failed, and its exit status.
type gitError struct {
	said string
	code int
}

func (e *gitError) Error() string { return e.said }

// text is run for an output of one line, or few.
func (g plumbing) text(ctx context.Context, args ...string) (string, error) {
	var out limited
	err := g.run(ctx, nil, &out, args...)
	return strings.TrimSuffix(out.kept.String(), "\n"), err
}

// limited keeps the first bytes of what is written to it, and refuses the rest, so that nobody goes on writing it.
type limited struct {
	kept bytes.Buffer // not embedded: io.Copy would find its ReadFrom, which takes all
	most int          // bytes; 0: 64 KiB
}

var errMore = errors.New("there is more than is taken")

func (l *limited) Write(p []byte) (int, error) {
	most := l.most
	if most == 0 {
		most = 64 << 10
	}
	keep := min(len(p), most-l.kept.Len())
	l.kept.Write(p[:keep])
	if keep < len(p) {
		return keep, errMore
	}
	return keep, nil
}

// pipes are a command's input and outputs: the agent's ends, and the command's.
type pipes struct {
	in, out, err *os.File
	theirs       []*os.File
}

func newPipes(cmd *exec.Cmd, input bool) (*pipes, error) {
	p := &pipes{}
	fail := func(err error) (*pipes, error) {
		p.started()
		p.close()
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	p.out, cmd.Stdout, p.theirs = read, write, append(p.theirs, write)
	if read, write, err = os.Pipe(); err != nil {
		return fail(err)
	}
	p.err, cmd.Stderr, p.theirs = read, write, append(p.theirs, write)
	if !input {
		return p, nil
	}
	if read, write, err = os.Pipe(); err != nil {
		return fail(err)
	}
	p.in, cmd.Stdin, p.theirs = write, read, append(p.theirs, read)
	return p, nil
}

// started lets go of the command's ends, which the command has by then.
func (p *pipes) started() {
	for _, f := range p.theirs {
		f.Close()
	}
}

func (p *pipes) close() {
	for _, f := range []*os.File{p.in, p.out, p.err} {
		if f != nil {
			f.Close()
		}
	}
}
