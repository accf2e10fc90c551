package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is what PostgreSQL's NOTIFY rings on when a feed entry was committed.
const channel = "lanyard_feed"

// ring makes the commit of this transaction wake whoever listens. SQLite has one process, which needs no bell.
func (s *Store) ring(ctx context.Context, tx *sql.Tx) error {
	if s.url == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel)
	return err
}

// Listen calls rung whenever a feed entry was committed by anybody, until ctx ends. A bell that is not heard, while
// the connection is being made again or through a proxy that does not pass it on, costs the follower a poll.
func (s *Store) Listen(ctx context.Context, rung func()) {
	if s.url == "" {
		<-ctx.Done()
		return
	}
	for wait := time.Second; ctx.Err() == nil; {
		err := s.listen(ctx, rung)
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the feed's bell is not heard; it is looked at every so often instead", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (s *Store) listen(ctx context.Context, rung func()) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	rung() // whatever came before
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		rung()
	}
}
