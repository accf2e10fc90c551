//go:build !linux

package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/cli"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/store"
)

// serving gives the command line what it says where there is no server: workspaces need Linux.
func serving(c *cli.Config, _ *slog.Logger) {
	elsewhere := problem.New(problem.Conflict, "This takes the server, which runs on Linux and not on %s. From here, sign in to one: lanyard login https://HOST", runtime.GOOS)
	c.Dev = func(context.Context, cli.DevOptions) error { return elsewhere }
	c.Serve = func(context.Context, string) error { return elsewhere }
	c.Backup = func(context.Context, string, io.Writer) (store.Summary, error) { return store.Summary{}, elsewhere }
	c.Restore = func(context.Context, string, io.Reader) (store.Summary, error) { return store.Summary{}, elsewhere }
	c.Examine = func(context.Context, string) (api.DirectoryHealth, error) { return api.DirectoryHealth{}, elsewhere }
	c.RotateKeys = func(context.Context, string, func(string)) error { return elsewhere }
	c.Revision = func(context.Context, string) (project.Revision, error) { return project.Revision{}, elsewhere }
	c.DatabaseFile = func(data string) string { return filepath.Join(data, "lanyard.db") }
	c.VerifyAudit = func(context.Context, *store.Store, []string, string) (audit.Report, error) {
		return audit.Report{}, elsewhere
	}
}
