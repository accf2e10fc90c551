package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// PutKey stores a key in the place of one with its ID. Nobody is told: it is for keys that are looked up whenever they
// are needed.
func (s *Store) PutKey(ctx context.Context, k Key) error {
	if len(k.Sealed) == 0 {
		return problem.New(problem.Internal, "A key without content cannot be stored.")
	}
	return s.inTx(ctx, "keep a key", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (id, kind, sealed, created, retired) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, created = excluded.created, retired = excluded.retired`,
			k.ID, k.Kind, k.Sealed, micro(k.Created), micro(k.Retired))
		return err
	})
}

// DropKey removes a key, if there is one.
func (s *Store) DropKey(ctx context.Context, kind, id string) error {
	return s.inTx(ctx, "drop a key", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE kind = $1 AND id = $2`, kind, id)
		return err
	})
}
