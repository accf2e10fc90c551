package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/store"
)

// OpenStore opens the database that a configuration names, beside the server or without it.
func OpenStore(ctx context.Context, c *config.Config, readOnly bool, log *slog.Logger) (*store.Store, error) {
	o := store.Config{Origin: random(), ReadOnly: readOnly, Log: log}
	var err error
	if o.PostgreSQL, err = databaseURL(c); err != nil {
		return nil, err
	}
	if o.PostgreSQL == "" {
		o.SQLite = DatabaseFile(c.Data)
		if _, err := os.Stat(o.SQLite); err != nil && readOnly {
			return nil, fmt.Errorf("open the database: %w", err)
		}
	}
	return store.Open(ctx, o)
}

func databaseURL(c *config.Config) (string, error) {
	if c.DatabaseFile == "" {
		return c.Database, nil
	}
	return config.ReadSecret(c.DatabaseFile)
}

// Backup writes all that the database of a configuration holds. The server may go on running. That it was copied goes
// into the audit log first.
func Backup(ctx context.Context, file string, to io.Writer, log *slog.Logger) (store.Summary, error) {
	c, err := config.Read(file)
	if err != nil {
		return store.Summary{}, err
	}
	rows, err := OpenStore(ctx, c, true, log) // so that nothing is made where nothing is
	if err != nil {
		return store.Summary{}, err
	}
	rows.Close()
	if rows, err = OpenStore(ctx, c, false, log); err != nil {
		return store.Summary{}, err
	}
	defer rows.Close()
	if err := rows.InsertEvents(ctx, []audit.Event{{Time: time.Now(), Action: "data:backup", Outcome: audit.Done, Actor: "operator"}}); err != nil {
		return store.Summary{}, err
	}
	return rows.Backup(ctx, to)
}

// Restore fills the empty database of a configuration from a backup. No server may run on the data folder.
func Restore(ctx context.Context, file string, from io.Reader, log *slog.Logger) (store.Summary, error) {
	c, err := config.Read(file)
	if err != nil {
		return store.Summary{}, err
	}
	lock, err := Lock(c.Data)
	if err != nil {
		return store.Summary{}, err
	}
	defer lock.Close()
	rows, err := OpenStore(ctx, c, false, log)
	if err != nil {
		return store.Summary{}, err
	}
	defer rows.Close()
	return rows.Restore(ctx, from, audit.Event{Time: time.Now(), Action: "data:restore", Outcome: audit.Done, Actor: "operator",
		Reasons: []string{store.RestoredWhy}})
}

// Revision is the revision of projects and policies that the database of a configuration holds; zero when there is no
// database yet, or nothing in it.
func Revision(ctx context.Context, file string) (project.Revision, error) {
	c, err := config.Read(file)
	if err != nil {
		return project.Revision{}, err
	}
	rows, err := OpenStore(ctx, c, true, slog.New(slog.DiscardHandler))
	if errors.Is(err, os.ErrNotExist) {
		return project.Revision{}, nil
	}
	if err != nil {
		return project.Revision{}, err
	}
	defer rows.Close()
	stored, _, _, _, err := rows.LoadProjects(ctx)
	return stored, err
}
