package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgreSQL returns one pool for both.
func openPostgreSQL(c Config) (write, read *sql.DB, err error) {
	config, err := pgx.ParseConfig(c.PostgreSQL)
	if err != nil {
		return nil, nil, errors.New("the PostgreSQL URL is not valid") // the parser's error may repeat the password
	}
	if c.ReadOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		// An answered change must survive a crash, whatever the server's default is.
		_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
			WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	}))
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(8)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, db, nil
}

// exists reports whether err says that a row with this key is there already.
func exists(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505" || sqliteExists(err)
}
