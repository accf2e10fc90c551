package cli

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// screen is the person's own terminal while it is a command's elsewhere.
type screen struct {
	size    *agentapi.Size
	sizes   <-chan agentapi.Size // when it changes
	restore func()
}

// screen makes the person's terminal raw, so that every key reaches the command.
func (a *app) screen(ctx context.Context) (screen, error) {
	in, ok := a.c.Stdin.(*os.File)
	if !ok || !terminal(in) {
		return screen{}, problem.New(problem.Invalid, "A terminal is needed as standard input for this.")
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return screen{}, fmt.Errorf("make the terminal pass every key: %w", err)
	}
	of := in // whose size it has: on Windows only the output knows it
	if out, ok := a.c.Stdout.(*os.File); ok && terminal(out) {
		of = out
	}
	changed, stop := resized()
	ctx, cancel := context.WithCancel(ctx)
	sizes := make(chan agentapi.Size)
	go func() {
		last := sizeOf(of)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			now := sizeOf(of)
			if now == nil || last != nil && *now == *last {
				continue
			}
			last = now
			select {
			case sizes <- *now:
			case <-ctx.Done():
				return
			}
		}
	}()
	return screen{size: sizeOf(of), sizes: sizes, restore: func() {
		cancel()
		stop()
		_ = term.Restore(int(in.Fd()), old) // the terminal has gone if this fails
	}}, nil
}

func sizeOf(f *os.File) *agentapi.Size {
	cols, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || cols <= 0 || rows <= 0 || cols > 1<<16-1 || rows > 1<<16-1 {
		return nil
	}
	return &agentapi.Size{Cols: uint16(cols), Rows: uint16(rows)} //nolint:gosec // bounded above
}
