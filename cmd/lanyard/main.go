// Lanyard gives developers container workspaces whose access follows the tenant. This program is the command line and, on
// Linux, the server.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/cli"
)

var version string // stamped by the build

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what takes too long
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	c := cli.Config{Version: version, Program: os.Args[0], Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	serving(&c, log)
	os.Exit(cli.Run(ctx, c, os.Args[1:]))
}
