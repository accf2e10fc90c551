package inside

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

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
		_ = term.Restore(fd, old) // the terminal has gone if this fails
	}}, nil
}

func sizeOf(fd int) *agentapi.Size {
	cols, rows, err := term.GetSize(fd)
	if err != nil || cols <= 0 || rows <= 0 || cols > 1<<16-1 || rows > 1<<16-1 {
		return nil
	}
	return &agentapi.Size{Cols: uint16(cols), Rows: uint16(rows)} //nolint:gosec // bounded above
}
