package main

import (
	"context"
	"log/slog"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/server"
)

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
