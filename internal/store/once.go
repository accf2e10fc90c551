package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// PutOnce keeps body under the hash of a secret until it is taken or expires. A hash that is there already is a conflict.
func (s *Store) PutOnce(ctx context.Context, kind string, hash [32]byte, body []byte, expires time.Time) error {
	return s.inTx(ctx, "keep a one-use value", func(tx *sql.Tx) error {
		// Sweeping here needs no timer, and rows pile up only as fast as they are put.
		if _, err := tx.ExecContext(ctx, `DELETE FROM once WHERE expires <= $1`, micro(time.Now())); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO once (kind, hash, body, expires) VALUES ($1, $2, $3, $4)`,
			kind, hash[:], nonNil(body), micro(expires))
		return err
	})
}

// TakeOnce returns the body and removes it, in one step: of several at once, one gets it. What has expired is not there.
func (s *Store) TakeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error) {
	err = s.inTx(ctx, "take a one-use value", func(tx *sql.Tx) error {
		var expires int64
		err := tx.QueryRowContext(ctx, `DELETE FROM once WHERE kind = $1 AND hash = $2 RETURNING body, expires`, kind, hash[:]).Scan(&body, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil && time.Now().Before(fromMicro(expires))
		return err
	})
	if err != nil || !ok {
		return nil, false, err
	}
	return body, true, nil
}

// SeeOnce returns the body and leaves it there.
func (s *Store) SeeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT body FROM once WHERE kind = $1 AND hash = $2 AND expires > $3`, kind, hash[:], micro(time.Now())).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, failed(err, "see a one-use value")
	}
	return body, true, nil
}

// nonNil is b as a value that is never NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
