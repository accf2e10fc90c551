package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/lanyardhq/lanyard/internal/cli"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/dev"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
)

// serving gives the command line the server.
func serving(c *cli.Config, log *slog.Logger) {
	c.Dev = func(ctx context.Context, o cli.DevOptions) error {
		return dev.Run(ctx, dev.Options{
			Data: o.Data, Listen: o.Listen, Runtime: o.Runtime, DockerHost: o.DockerHost, Image: o.Image, Metrics: o.Metrics, JSON: o.JSON, DatabaseFile: o.DatabaseFile, Members: config.Members(o.Members), Keep: o.Keep, Running: o.Running, Hosts: o.Hosts, Version: version, Out: os.Stdout, Log: log,
		})
	}
	c.Backup = func(ctx context.Context, config string, to io.Writer) (store.Summary, error) {
		return server.Backup(ctx, config, to, log)
	}
	c.Restore = func(ctx context.Context, config string, from io.Reader) (store.Summary, error) {
		return server.Restore(ctx, config, from, log)
	}
	c.Serve = func(ctx context.Context, config string) error { return serve(ctx, config, log) }
	c.Examine, c.RotateKeys, c.Revision = server.Examine, server.RotateKeys, server.Revision
	c.DatabaseFile, c.VerifyAudit = server.DatabaseFile, server.VerifyAudit
}

// serve runs the server of a configuration file until ctx ends.
func serve(ctx context.Context, file string, log *slog.Logger) error {
	c, err := config.Read(file)
	if err != nil {
		return err
	}
	agent, err := server.AgentPath()
	if err != nil {
		return err
	}
	o, err := server.FromFile(ctx, c, agent, version, log)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	return s.Run(ctx, func() { log.Info("Lanyard serves", "url", c.URL, "socket", o.Socket) })
}
