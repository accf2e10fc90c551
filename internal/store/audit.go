package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// InsertEvents stores events that the log has still to take in. They are durable when it returns.
func (s *Store) InsertEvents(ctx context.Context, events []audit.Event) error {
	return s.inTx(ctx, "insert audit events", func(tx *sql.Tx) error { return insertEvents(ctx, tx, events) })
}

// insertEvents is the last step of a transaction: it locks the head of what is pending until the commit.
func insertEvents(ctx context.Context, tx *sql.Tx, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([][]any, len(events))
	for i, e := range events {
		body, err := audit.Encode(e)
		if err != nil {
			return err
		}
		rows[i] = []any{int64(0), body}
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `UPDATE audit_pending_head SET num = num + $1 WHERE id = 1 RETURNING num`, len(rows)).Scan(&last); err != nil {
		return err
	}
	for i := range rows {
		rows[i][0] = last - int64(len(rows)-1-i)
	}
	return insertMany(ctx, tx, `INSERT INTO audit_pending (num, body)`, ``, rows)
}

// PendingEvents returns the first events, in the order of commits, that are not in the log yet.
func (s *Store) PendingEvents(ctx context.Context, limit int) ([]audit.Pending, error) {
	all, err := queryAll(ctx, s.read, func(scan func(...any) error) (p audit.Pending, err error) {
		err = scan(&p.Num, &p.Body)
		return p, err
	}, `SELECT num, body FROM audit_pending ORDER BY num LIMIT $1`, limit)
	return all, failed(err, "read pending audit events")
}

// AuditTerm returns which process leads the log.
func (s *Store) AuditTerm(ctx context.Context) (t audit.Term, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT term, holder FROM audit_leader WHERE id = 1`).Scan(&t.Number, &t.Holder)
	return t, failed(err, "read the audit log's leader")
}

// TakeAuditTerm makes holder the leader if the term is still the one that was seen. An empty holder gives it up.
func (s *Store) TakeAuditTerm(ctx context.Context, seen int64, holder string) (t audit.Term, ok bool, err error) {
	err = s.inTx(ctx, "take over the audit log", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE audit_leader SET term = term + 1, holder = $1 WHERE id = 1 AND term = $2`, holder, seen)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		ok = n == 1
		return err
	})
	if err != nil {
		return audit.Term{}, false, err
	}
	return audit.Term{Number: seen + 1, Holder: holder}, ok, nil
}

// AppendLeaves moves events from pending to the log, with the tree's hashes and the checkpoint, in one transaction.
// It returns audit.ErrFenced and changes nothing when the term is over or the events were taken already.
func (s *Store) AppendLeaves(ctx context.Context, b audit.Batch) error {
	return s.inTx(ctx, "append to the audit log", func(tx *sql.Tx) error {
		if err := affects(ctx, tx, 1, `UPDATE audit_leader SET holder = holder WHERE id = 1 AND term = $1`, b.Term); err != nil {
			return err
		}
		if err := affects(ctx, tx, int64(len(b.Leaves)), `DELETE FROM audit_pending WHERE num >= $1 AND num <= $2`, b.FirstPending, b.LastPending); err != nil {
			return err
		}
		leaves := make([][]any, len(b.Leaves))
		for i, l := range b.Leaves {
			leaves[i] = []any{l.Seq, micro(l.At), l.Action, l.Person, l.Workspace, l.Body}
		}
		if err := insertMany(ctx, tx, `INSERT INTO audit_events (seq, at, action, person, workspace, body)`, ``, leaves); err != nil {
			return err
		}
		hashes := make([][]any, len(b.Hashes))
		for i, h := range b.Hashes {
			hashes[i] = []any{h.Index, h.Hash[:]}
		}
		if err := insertMany(ctx, tx, `INSERT INTO audit_hashes (idx, hash)`, ``, hashes); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_checkpoints (size, note) VALUES ($1, $2)`, b.Checkpoint.Size, b.Checkpoint.Note)
		return err
	})
}

// affects runs a statement that must change exactly n rows; otherwise another process was there.
func affects(ctx context.Context, tx *sql.Tx, n int64, query string, args ...any) error {
	done, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	changed, err := done.RowsAffected()
	if err != nil {
		return err
	}
	if changed != n {
		return problem.Wrap(audit.ErrFenced, problem.Conflict, "Another process writes the audit log.")
	}
	return nil
}
