package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// AddRefreshToken keeps the hash of a client session's first refresh token, and the scope that it was given for.
func (s *Store) AddRefreshToken(ctx context.Context, hash [32]byte, session identity.SessionID, scope string, expires time.Time) error {
	return s.inTx(ctx, "keep a refresh token", func(tx *sql.Tx) error {
		// Sweeping here needs no timer, and rows pile up only as fast as they are added.
		if _, err := tx.ExecContext(ctx, `DELETE FROM refresh_tokens WHERE expires <= $1`, micro(time.Now())); err != nil {
			return err
		}
		return addRefreshToken(ctx, tx, hash, session, scope, expires)
	})
}

func addRefreshToken(ctx context.Context, tx *sql.Tx, hash [32]byte, session identity.SessionID, scope string, expires time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO refresh_tokens (hash, session, scope, expires, used) VALUES ($1, $2, $3, $4, 0)`,
		hash[:], string(session), scope, micro(expires))
	return err
}

// UseRefreshToken spends a refresh token and keeps the next one in its place, in one step: of two at once one has it, and
// for the other it was used. A token that is not known, or has expired, is of no session.
func (s *Store) UseRefreshToken(ctx context.Context, hash, next [32]byte, now time.Time) (session identity.SessionID, usedBefore bool, err error) {
	err = s.inTx(ctx, "use a refresh token", func(tx *sql.Tx) error {
		var expires int64
		var scope string
		err := tx.QueryRowContext(ctx, `UPDATE refresh_tokens SET used = $1 WHERE hash = $2 AND used = 0 AND expires > $1 RETURNING session, scope, expires`,
			micro(now), hash[:]).Scan(&session, &scope, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.QueryRowContext(ctx, `SELECT session FROM refresh_tokens WHERE hash = $1 AND expires > $2`, hash[:], micro(now)).Scan(&session)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			usedBefore = err == nil
			return err
		}
		if err != nil {
			return err
		}
		return addRefreshToken(ctx, tx, next, session, scope, fromMicro(expires))
	})
	if err != nil {
		return "", false, err
	}
	return session, usedBefore, nil
}

// RefreshTokenOf finds the session and the scope of a refresh token, used or not, without spending it; empty when it is not
// known.
func (s *Store) RefreshTokenOf(ctx context.Context, hash [32]byte) (session identity.SessionID, scope string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT session, scope FROM refresh_tokens WHERE hash = $1 AND expires > $2`, hash[:], micro(time.Now())).Scan(&session, &scope)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	if err != nil {
		return "", "", failed(err, "find a refresh token")
	}
	return session, scope, nil
}
