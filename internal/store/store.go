package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/observe"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Config says which database, and who writes.
type Config struct {
	SQLite     string // path of the database file, made if absent; or
	PostgreSQL string // a connection URL
	// Origin names this process in the feed entries that it writes; random per process.
	Origin string
	// ReadOnly opens a database as it is: nothing is made, migrated or written. For auditors.
	ReadOnly bool
	Log      *slog.Logger
}

// Store is an open database. Its methods may be called concurrently.
type Store struct {
	write  *sql.DB // SQLite: one connection, whose transactions take the write lock when they begin
	read   *sql.DB
	origin string
	took   *observe.Histogram // by transactions that may write
	url    string             // of PostgreSQL; empty for SQLite
	log    *slog.Logger
	held   func() (feed.Term, bool) // set for a store that is fenced
	// inserts are prepared statements by their head, on SQLite.
	inserts map[string]*sql.Stmt
}

// Open connects to the database and brings its schema to this release's. It refuses the database of a later release.
func Open(ctx context.Context, c Config) (*Store, error) {
	if (c.SQLite == "") == (c.PostgreSQL == "") {
		return nil, errors.New("open store: give either a SQLite file or a PostgreSQL URL")
	}
	s := &Store{origin: c.Origin, took: &observe.Histogram{}, log: c.Log, url: c.PostgreSQL}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.SQLite != "" {
		s.write, s.read, err = openSQLite(c)
	} else {
		s.write, s.read, err = openPostgreSQL(c)
	}
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if c.ReadOnly {
		err = checkVersion(ctx, s.read)
	} else {
		err = migrate(ctx, s.write, c.PostgreSQL != "", s.log)
		if err == nil {
			err = s.adoptEvents(ctx)
		}
		if err == nil {
			err = s.adoptMembers(ctx)
		}
		if err == nil && c.SQLite != "" {
			err = s.prepareInserts(ctx)
		}
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// Close ends all connections. Transactions under way fail.
func (s *Store) Close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// inTx runs f in a transaction that may write. doing completes "the store failed to …".
func (s *Store) inTx(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	defer func(begun time.Time) { s.took.Observe(time.Since(begun)) }(time.Now())
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return failed(err, doing)
	}
	defer tx.Rollback() // of no effect after the commit
	if err := f(tx); err != nil {
		return failed(err, doing)
	}
	if err := s.fence(ctx, tx); err != nil {
		return failed(err, doing)
	}
	return failed(tx.Commit(), doing)
}

// Transactions says how long transactions took that may write.
func (s *Store) Transactions() observe.Totals { return s.took.Totals() }

// inSnapshot runs f in a transaction that reads one state of the database.
func (s *Store) inSnapshot(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return failed(err, doing)
	}
	defer tx.Rollback()
	return failed(f(tx), doing)
}

// failed gives an error of the database its kind; what has a kind already, and a context's end, stay as they are.
func failed(err error, doing string) error {
	var p *problem.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("store: %s: %w", doing, err)
	case exists(err):
		return problem.Wrap(fmt.Errorf("store: %s: %w", doing, err), problem.Conflict, "That exists already.")
	}
	return problem.Wrap(fmt.Errorf("store: %s: %w", doing, err), problem.Unavailable,
		"Lanyard's database does not take this now; try again in a moment.")
}

// micro is a time as it is stored.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicro is the inverse of micro.
func fromMicro(m int64) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(m).UTC()
}
