package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Migrations only add within a release, so that the release before it goes on working on the same database.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrate brings the schema to this release's version. Replicas that start together wait for one another.
func migrate(ctx context.Context, db *sql.DB, postgres bool, log *slog.Logger) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithSlog(log), goose.WithDisableGlobalRegistry(true)}
	if postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	// SQLite has no lock that spans migrations: who loses a race against another process looks again.
	for seen := int64(-1); ; {
		have, target, err := provider.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		if have > target {
			return laterRelease(have, target)
		}
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		if have == seen || postgres {
			return fmt.Errorf("migrate from version %d to %d: %w", have, target, err)
		}
		seen = have
	}
}

// checkVersion demands a schema that this release can read, without changing anything.
func checkVersion(ctx context.Context, db *sql.DB) error {
	target, err := targetVersion()
	if err != nil {
		return err
	}
	var have int64
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	switch {
	case have > target:
		return laterRelease(have, target)
	case have < target:
		return problem.New(problem.Conflict,
			"The database has schema version %d, this release reads %d; start the server once to bring it up.", have, target)
	}
	return nil
}

func laterRelease(have, target int64) error {
	return problem.New(problem.Conflict,
		"The database was written by a later release of Lanyard (schema version %d, this release knows %d). Start that release, or restore a backup.",
		have, target)
}

// targetVersion is the highest number among the embedded files.
func targetVersion() (int64, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("no migrations embedded: %w", err)
	}
	number, _, _ := strings.Cut(path.Base(names[len(names)-1]), "_") // Glob sorts
	return strconv.ParseInt(number, 10, 64)
}
