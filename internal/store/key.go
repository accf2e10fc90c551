package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// Key is a private key as it is stored: sealed under the installation's encryption key.
type Key = token.Key

// Keys returns the keys of a kind, oldest first.
func (s *Store) Keys(ctx context.Context, kind string) ([]Key, error) {
	keys, err := queryAll(ctx, s.read, scanKey,
		`SELECT id, kind, sealed, created, retired FROM keys WHERE kind = $1 ORDER BY created, id`, kind)
	return keys, failed(err, "read keys")
}

// AddKey stores a new key, and tells whoever follows. An ID that is there already is a conflict.
func (s *Store) AddKey(ctx context.Context, k Key) error {
	if len(k.Sealed) == 0 {
		return problem.New(problem.Internal, "A key without content cannot be stored.")
	}
	_, err := s.change(ctx, "add a key", feed.Entry{Topic: feed.Keys}, nil, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (id, kind, sealed, created, retired) VALUES ($1, $2, $3, $4, $5)`,
			k.ID, k.Kind, k.Sealed, micro(k.Created), micro(k.Retired))
		return err
	})
	return err
}

func scanKey(scan func(...any) error) (k Key, err error) {
	var created, retired int64
	err = scan(&k.ID, &k.Kind, &k.Sealed, &created, &retired)
	k.Created, k.Retired = fromMicro(created), fromMicro(retired)
	return k, err
}
