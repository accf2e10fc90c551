package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// RevokeToken keeps the ID of a token that was revoked, or of a right to mint, until it would have ended by itself.
func (s *Store) RevokeToken(ctx context.Context, id string, until time.Time, events ...audit.Event) error {
	_, err := s.change(ctx, "revoke a token", feed.Entry{Topic: feed.Tokens}, events, func(tx *sql.Tx) error {
		// Sweeping here needs no timer, and rows pile up only as fast as they are added.
		if _, err := tx.ExecContext(ctx, `DELETE FROM revoked_tokens WHERE until <= $1`, micro(time.Now())); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO revoked_tokens (id, until) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET until = CASE WHEN revoked_tokens.until > excluded.until THEN revoked_tokens.until ELSE excluded.until END`,
			id, micro(until))
		return err
	})
	return err
}

// RevokedTokens are the IDs of tokens and rights that were revoked and have not ended by themselves, with their ends.
func (s *Store) RevokedTokens(ctx context.Context) (map[string]time.Time, error) {
	type row struct {
		id    string
		until time.Time
	}
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (r row, err error) {
		var until int64
		err = scan(&r.id, &until)
		r.until = fromMicro(until)
		return r, err
	}, `SELECT id, until FROM revoked_tokens WHERE until > $1`, micro(time.Now()))
	if err != nil {
		return nil, failed(err, "read which tokens were revoked")
	}
	all := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		all[r.id] = r.until
	}
	return all, nil
}
