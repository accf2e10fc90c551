package inside

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// screen is this terminal while it is an AI agent's.
type screen struct {
	size    *agentapi.Size
	sizes   <-chan agentapi.Size // when it changes
	restore func()
}

// screen makes the terminal pass every key on.
func (a *app) screen(ctx context.Context) (screen, error) {
	in, ok := a.c.Stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return screen{}, problem.New(problem.Invalid, "--tty needs a terminal as standard input.")
	}
	fd := int(in.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return screen{}, fmt.Errorf("make the terminal pass every key: %w", err)
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	ctx, cancel := context.WithCancel(ctx)
	sizes := make(chan agentapi.Size)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			if now := sizeOf(fd); now != nil {
				select {
				case sizes <- *now:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return screen{size: sizeOf(fd), sizes: sizes, restore: func() {
		cancel()
		signal.Stop(changed)
		discard(fd)
		_ = term.Restore(fd, old) // the terminal has gone if this fails
	}}, nil
}

// answersWithin is how long a terminal has to answer what it was asked before the AI agent ended.
const answersWithin = 100 * time.Millisecond

// discard throws away what was typed and not read: an AI agent that asks its terminal something and ends would have the
// answer, of which it can choose a part, typed to the person's shell.
func discard(fd int) {
	time.Sleep(answersWithin)
	_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) // the terminal has gone if this fails
}

// sane puts a terminal into the state that programs expect, wherever a program left it, so that nothing of what is written
// next is hidden, drawn over or taken for something else. Sequences of xterm's control sequences document and of ECMA-48.
const sane = "\x18\x1b\\" + // a sequence that was begun is over
	"\x1b[?2026l" + // drawing is not held back
	"\x1b7\x1b[?1049l\x1b[?47l" + // the normal screen, with the cursor where it was there
	"\x1b[!p" + // soft reset
	"\x1b7\x1b[?6l\x1b[?69l\x1b[r\x1b8\x1b[?6l" + // no margins; the cursor stays, which setting them moves
	"\x1b(B\x1b)B\x0f" + // ASCII
	"\x1b[4l\x1b[20l\x1b[?5l\x1b[?7h\x1b[?25h" + // no insertion, no inversion, lines wrap, the cursor shows
	"\x1b[?1l\x1b>\x1b[>4m\x1b[=0u" + // keys send what they usually do
	"\x1b[?9l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l" + // the mouse and the focus send nothing
	"\x1b[?2004l" + // nor are pastes bracketed
	"\x1b]8;;\a\x1b]104\a\x1b]110\a\x1b]111\a\x1b]112\a" + // no link, and the usual colours
	"\x1b[0m\r\n\x1b[J" // no attributes, and a line of its own with nothing below

// reset makes the terminal that a command drew on sane, if it is one.
func (a *app) reset() {
	for _, to := range []io.Writer{a.c.Stdout, a.c.Stderr} {
		if isTerminal(to) {
			_, _ = io.WriteString(to, sane) // the terminal has gone if this fails
			return
		}
	}
}

func sizeOf(fd int) *agentapi.Size {
	cols, rows, err := term.GetSize(fd)
	if err != nil || cols <= 0 || rows <= 0 || cols > 1<<16-1 || rows > 1<<16-1 {
		return nil
	}
	return &agentapi.Size{Cols: uint16(cols), Rows: uint16(rows)} //nolint:gosec // bounded above
}
