package store

import (
	"bytes"
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
)

// resealAtOnce is how many values one transaction seals again.
const resealAtOnce = 100

// ResealKeys lets again seal every stored key anew, and returns how many it changed. One that was changed meanwhile
// stays as it is.
func (s *Store) ResealKeys(ctx context.Context, again func(token.Key) (sealed []byte, changed bool, err error)) (changed int, err error) {
	keys, err := queryAll(ctx, s.read, scanKey, `SELECT id, kind, sealed, created, retired FROM keys ORDER BY id`)
	if err != nil {
		return 0, failed(err, "read keys")
	}
	return resealed(keys, again, func(k token.Key, sealed []byte) error {
		_, err := s.change(ctx, "seal a key again", feed.Entry{Topic: feed.Keys}, nil, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE keys SET sealed = $1 WHERE id = $2 AND sealed = $3`, sealed, k.ID, k.Sealed)
			return err
		})
		return err
	})
}

// resealed has again seal what rows keep, and keeps what differs, each by itself. It returns how many did.
func resealed[R any](rows []R, again func(R) (sealed []byte, changed bool, err error), keep func(r R, sealed []byte) error) (changed int, err error) {
	for _, r := range rows {
		sealed, differs, err := again(r)
		if err != nil {
			return changed, err
		}
		if !differs {
			continue
		}
		if err := keep(r, sealed); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// ResealSignIns lets again seal the refresh tokens of all sign-ins anew, in batches that replicas follow, and returns
// how many it changed. One that was renewed or ended meanwhile stays as it is.
func (s *Store) ResealSignIns(ctx context.Context, again func(session.SignIn) (sealed []byte, changed bool, err error)) (changed int, err error) {
	for after := ""; ; {
		rows, err := queryAll(ctx, s.read, scanSignIn, `SELECT `+signInColumns+` FROM sign_ins WHERE ended = 0 AND id > $1 ORDER BY id LIMIT $2`, after, resealAtOnce)
		if err != nil || len(rows) == 0 {
			return changed, failed(err, "read sign-ins")
		}
		after = string(rows[len(rows)-1].ID)
		e := feed.Entry{Topic: feed.Sessions}
		var sets [][]any
		for _, row := range rows {
			if len(row.Refresh) == 0 {
				continue
			}
			sealed, differs, err := again(row)
			if err != nil {
				return changed, err
			}
			if differs && !bytes.Equal(sealed, row.Refresh) {
				sets = append(sets, []any{sealed, string(row.ID), row.Refresh})
				e.Keys = append(e.Keys, string(row.ID))
			}
		}
		if len(sets) == 0 {
			continue
		}
		if _, err := s.change(ctx, "seal refresh tokens again", e, nil, func(tx *sql.Tx) error {
			return executeMany(ctx, tx, `UPDATE sign_ins SET refresh = $1 WHERE id = $2 AND refresh = $3`, sets)
		}); err != nil {
			return changed, err
		}
		changed += len(sets)
	}
}
