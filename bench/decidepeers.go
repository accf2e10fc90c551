package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// benchDecidePeers runs the module of other makers' engines, which prints its figures itself.
func benchDecidePeers(ctx context.Context, _ *bench) error {
	folder := filepath.Join("bench", "peers")
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return errors.New("run this in the repository's folder: bench/peers is not here")
	}
	program := filepath.Join(os.TempDir(), fmt.Sprintf("lanyard-peers-%d", os.Getpid()))
	defer os.Remove(program)
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir, build.Stdout, build.Stderr = folder, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		for _, figure := range []string{"decide.uncached", "decide.cached"} {
			skip(figure, "beside opa and casbin: their modules cannot be built here")
		}
		return nil
	}
	run := exec.CommandContext(ctx, program)
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) } // it ends what it started
	run.WaitDelay = 20 * time.Second
	return run.Run()
}
