package store

import (
	"context"
	"database/sql"
	"time"
)

// Retention says how long rows are kept that nobody needs for a decision.
type Retention struct {
	Feed      time.Duration // entries; a replica that was away for longer loads everything again
	Ended     time.Duration // sign-ins and sessions after they ended or expired
	Revisions int64         // of projects and policies
}

// Prune removes what is older than the retention, and reports how many rows that were. The feed's last entry always
// stays: by it a follower sees that it missed some.
func (s *Store) Prune(ctx context.Context, now time.Time, keep Retention) (removed int64, err error) {
	ended := micro(now.Add(-keep.Ended))
	// A workspace's session outlives its sign-in, until its owner's next one adopts it: it stays while the workspace does.
	const adoptable = `sessions.kind = 'workspace' AND sessions.ended = 0 AND EXISTS (SELECT 1 FROM workspaces WHERE workspaces.id = sessions.workspace)`
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM feed WHERE at < $1 AND seq < (SELECT seq FROM feed_head WHERE id = 1)`, []any{micro(now.Add(-keep.Feed))}},
		{`DELETE FROM once WHERE expires < $1`, []any{micro(now)}},
		{`DELETE FROM sessions WHERE (ended <> 0 AND ended < $1) OR (expires <> 0 AND expires < $1)`, []any{ended}},
		{`DELETE FROM sessions WHERE sign_in IN (SELECT id FROM sign_ins WHERE (ended <> 0 AND ended < $1) OR expires < $1) AND NOT (` + adoptable + `)`, []any{ended}},
		{`DELETE FROM sign_ins WHERE ((ended <> 0 AND ended < $1) OR expires < $1)
			AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.sign_in = sign_ins.id)`, []any{ended}},
		{`DELETE FROM project_revisions WHERE number <= (SELECT COALESCE(MAX(number), 0) FROM project_revisions) - $1`, []any{keep.Revisions}},
		{`DELETE FROM replicas WHERE seen < $1`, []any{micro(now.Add(-goneAfter))}},
	} {
		// Each by itself: nothing else waits for long.
		err := s.inTx(ctx, "remove what is old", func(tx *sql.Tx) error {
			done, err := tx.ExecContext(ctx, step.query, step.args...)
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			removed += n
			return err
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
