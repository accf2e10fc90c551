// Lanyard gives developers container workspaces whose access follows the tenant. This program is the server and the
// command line.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/lanyardhq/lanyard/internal/cli"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/dev"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
)

var version string // stamped by the build

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what takes too long
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	os.Exit(cli.Run(ctx, cli.Config{
		Dev: func(ctx context.Context, o cli.DevOptions) error {
			return dev.Run(ctx, dev.Options{
				Data: o.Data, Listen: o.Listen, Runtime: o.Runtime, Metrics: o.Metrics, JSON: o.JSON, DatabaseFile: o.DatabaseFile, Members: config.Members(o.Members), Keep: o.Keep, Version: version, Out: os.Stdout, Log: log,
			})
		},
		Backup: func(ctx context.Context, config string, to io.Writer) (store.Summary, error) {
			return server.Backup(ctx, config, to, log)
		},
		Restore: func(ctx context.Context, config string, from io.Reader) (store.Summary, error) {
			return server.Restore(ctx, config, from, log)
		},
		Examine: server.Examine, RotateKeys: server.RotateKeys, Revision: server.Revision,
		Serve:        func(ctx context.Context, config string) error { return serve(ctx, config, log) },
		DatabaseFile: server.DatabaseFile, VerifyAudit: server.VerifyAudit,
		Version: version, Program: os.Args[0], Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}, os.Args[1:]))
}
