package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
)

// DirectoryAge returns how old the stored directory is, and the feed's number at which that held: who has followed
// the feed up to there has that directory.
func (s *Store) DirectoryAge(ctx context.Context) (asOf time.Time, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "read the directory's age", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		var at int64
		err := tx.QueryRowContext(ctx, `SELECT as_of FROM directory_state WHERE id = 1`).Scan(&at)
		asOf = fromMicro(at)
		return err
	})
	return asOf, seq, err
}
