package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/server"
)

// serve runs the server of a configuration file until ctx ends.
func serve(ctx context.Context, file string, log *slog.Logger) error {
	c, err := config.Read(file)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	agent := filepath.Join(filepath.Dir(self), "lanyard-agent") // `make build` puts it beside this program
	if _, err := os.Stat(agent); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The workspace agent is not at %s. It belongs beside lanyard.", agent)
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
