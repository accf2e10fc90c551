package store

import (
	"context"
	"database/sql"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// InsertEvents numbers and stores events. They are durable when it returns.
func (s *Store) InsertEvents(ctx context.Context, events []audit.Event) error {
	records, err := audit.EncodeAll(events)
	if err != nil {
		return err
	}
	return s.InsertRecords(ctx, records)
}

// InsertRecords numbers and stores events that are encoded already.
func (s *Store) InsertRecords(ctx context.Context, records []audit.Record) error {
	return s.inTx(ctx, "insert audit events", func(tx *sql.Tx) error {
		_, err := s.insertRecords(ctx, tx, records)
		return err
	})
}

// insertEvents is the last step of a transaction: it locks the head of the log until the commit.
func (s *Store) insertEvents(ctx context.Context, tx *sql.Tx, events []audit.Event) error {
	records, err := audit.EncodeAll(events)
	if err != nil {
		return err
	}
	_, err = s.insertRecords(ctx, tx, records)
	return err
}

// The statements that write the log.
const (
	insertEntries = `INSERT INTO audit_entries (seq, leaf, clear)`
	insertHashes  = `INSERT INTO audit_hashes (idx, hash)`
	insertIndex   = `INSERT INTO audit_index (` + indexColumns + `)`
)

// insertRecords gives records the next numbers and returns the first of them.
func (s *Store) insertRecords(ctx context.Context, tx *sql.Tx, records []audit.Record) (first int64, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	if first, err = s.reserve(ctx, tx, len(records)); err != nil {
		return 0, err
	}
	return first, s.insertAt(ctx, tx, first, records)
}

// reserve locks the head and takes so many numbers.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, n int) (first int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE audit_pending_head SET num = num + $1 WHERE id = 1 RETURNING num`, n).Scan(&first)
	return first - int64(n), err
}

func (s *Store) insertAt(ctx context.Context, tx *sql.Tx, first int64, records []audit.Record) error {
	rows := make([][]any, len(records))
	for i, r := range records {
		leaf, err := r.Numbered(first + int64(i))
		if err != nil {
			return err
		}
		rows[i] = []any{first + int64(i), leaf, r.Clear}
	}
	return s.insertPrepared(ctx, tx, insertEntries, rows)
}

// insertPrepared inserts rows by a statement that was prepared when SQLite was opened, since preparing costs more than
// a row; PostgreSQL, where every statement is a round trip, gets many rows at once.
func (s *Store) insertPrepared(ctx context.Context, tx *sql.Tx, head string, rows [][]any) error {
	insert := s.inserts[head]
	if insert == nil || len(rows) == 0 {
		return insertMany(ctx, tx, head, ``, rows)
	}
	insert = tx.StmtContext(ctx, insert)
	for _, row := range rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// prepareInserts prepares what insertPrepared is given, on SQLite's one connection for writing.
func (s *Store) prepareInserts(ctx context.Context) error {
	s.inserts = map[string]*sql.Stmt{}
	for head, width := range map[string]int{insertEntries: 3, insertHashes: 2, insertIndex: 9} {
		insert, err := s.write.PrepareContext(ctx, head+" VALUES "+placeholders(1, width))
		if err != nil {
			return err
		}
		s.inserts[head] = insert
	}
	return nil
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

// hashesInRow is how many consecutive hashes of the tree one row holds at most, under the index of the first.
const hashesInRow = 256

// AppendTree stores the tree's hashes and the checkpoint in one transaction. It returns audit.ErrFenced and changes
// nothing when the term is over or the tree was extended already.
func (s *Store) AppendTree(ctx context.Context, b audit.Batch) error {
	return s.inTx(ctx, "append to the audit log", func(tx *sql.Tx) error {
		if err := affects(ctx, tx, 1, `UPDATE audit_leader SET holder = holder WHERE id = 1 AND term = $1`, b.Term); err != nil {
			return err
		}
		var rows [][]any
		for hashes := b.Hashes; len(hashes) > 0; {
			n := min(len(hashes), hashesInRow)
			joined := make([]byte, 0, n*tlog.HashSize)
			for _, h := range hashes[:n] {
				joined = append(joined, h.Hash[:]...)
			}
			rows = append(rows, []any{hashes[0].Index, joined})
			hashes = hashes[n:]
		}
		if err := s.insertPrepared(ctx, tx, insertHashes, rows); err != nil {
			return fenced(err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_checkpoints (size, note) VALUES ($1, $2)`, b.Checkpoint.Size, b.Checkpoint.Note)
		return fenced(err)
	})
}

// fenced says of a row that exists already that another process wrote it.
func fenced(err error) error {
	if err == nil || !exists(err) {
		return err
	}
	return problem.Wrap(audit.ErrFenced, problem.Conflict, "Another process writes the audit log.")
}

// AppendIndex files events, if the index is where it was seen.
func (s *Store) AppendIndex(ctx context.Context, from int64, filed []audit.IndexRow) error {
	return s.inTx(ctx, "file audit events", func(tx *sql.Tx) error {
		if err := affects(ctx, tx, 1, `UPDATE audit_positions SET position = $1 WHERE name = $2 AND position = $3`,
			from+int64(len(filed)), audit.IndexPosition, from); err != nil {
			return err
		}
		rows := make([][]any, len(filed))
		for i, r := range filed {
			rows[i] = []any{r.Seq, micro(r.At), r.Action, r.Outcome, r.Person, r.Session, r.Workspace, r.Project, r.Resource}
		}
		return s.insertPrepared(ctx, tx, insertIndex, rows)
	})
}

// MovePosition moves a follower's position, if it is where it was seen.
func (s *Store) MovePosition(ctx context.Context, name string, from, to int64) error {
	return s.inTx(ctx, "store how far the audit log was exported", func(tx *sql.Tx) error {
		if from == 0 {
			if _, err := tx.ExecContext(ctx, `INSERT INTO audit_positions (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING`, name); err != nil {
				return err
			}
		}
		return affects(ctx, tx, 1, `UPDATE audit_positions SET position = $1 WHERE name = $2 AND position = $3`, to, name, from)
	})
}

// PruneLog stores a signed statement about removed events, and an event that says so, under the leader's term.
func (s *Store) PruneLog(ctx context.Context, term int64, statement audit.StoredCheckpoint, event audit.Record) error {
	return s.inTx(ctx, "remove old audit events", func(tx *sql.Tx) error {
		if err := affects(ctx, tx, 1, `UPDATE audit_leader SET holder = holder WHERE id = 1 AND term = $1`, term); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO audit_prunings (size, note) VALUES ($1, $2)`, statement.Size, statement.Note); err != nil {
			return err
		}
		_, err := s.insertRecords(ctx, tx, []audit.Record{event})
		return err
	})
}

// PruneEvents removes some of the events before a position, and what they are found by.
func (s *Store) PruneEvents(ctx context.Context, before int64, limit int) (n int64, err error) {
	err = s.inTx(ctx, "remove old audit events", func(tx *sql.Tx) error {
		var end sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT MAX(seq) FROM (SELECT seq FROM audit_entries WHERE seq < $1 ORDER BY seq LIMIT $2) AS oldest`,
			before, limit).Scan(&end); err != nil || !end.Valid {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM audit_index WHERE seq <= $1`, end.Int64); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM audit_entries WHERE seq <= $1`, end.Int64)
		if err != nil {
			return err
		}
		n, err = done.RowsAffected()
		return err
	})
	return n, err
}

// Erase removes what stands beside the events of a person, and stores the event that record makes of their number.
func (s *Store) Erase(ctx context.Context, person, before int64, record func(int64) (audit.Record, error)) (n int64, err error) {
	err = s.inTx(ctx, "erase personal data from the audit log", func(tx *sql.Tx) error {
		seq, err := s.reserve(ctx, tx, 1)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE audit_entries SET clear = NULL, erased = $1
			WHERE clear IS NOT NULL AND seq IN (SELECT seq FROM audit_index WHERE person = $2 AND person <> 0 AND seq < $3)`, seq, person, before)
		if err != nil {
			return err
		}
		if n, err = done.RowsAffected(); err != nil {
			return err
		}
		if n == 0 {
			return errNothing
		}
		if _, err := tx.ExecContext(ctx, `UPDATE audit_index SET person = 0 WHERE person = $1 AND person <> 0 AND seq < $2`, person, before); err != nil {
			return err
		}
		r, err := record(n)
		if err != nil {
			return err
		}
		return s.insertAt(ctx, tx, seq, []audit.Record{r})
	})
	if errors.Is(err, errNothing) {
		return 0, nil
	}
	return n, err
}

// errNothing undoes a transaction that had nothing to do.
var errNothing = errors.New("nothing to erase")

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

// adoptEvents moves the events of a database of the first release to where they are now: those of its log, then those
// that its log had still to take in.
func (s *Store) adoptEvents(ctx context.Context) error {
	return s.inTx(ctx, "take over the audit log of the release before", func(tx *sql.Tx) error {
		var log, pending int64
		if err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM audit_events), (SELECT COUNT(*) FROM audit_pending)`).Scan(&log, &pending); err != nil {
			return err
		}
		if log+pending == 0 {
			return nil
		}
		// The lock on the head keeps a second process, and writers, out.
		if _, err := tx.ExecContext(ctx, `UPDATE audit_pending_head SET num = num WHERE id = 1`); err != nil {
			return err
		}
		for _, do := range []string{
			`INSERT INTO audit_entries (seq, leaf) SELECT seq, body FROM audit_events`,
			`DELETE FROM audit_events`,
		} {
			if _, err := tx.ExecContext(ctx, do); err != nil {
				return err
			}
		}
		rows, err := queryAll(ctx, tx, func(scan func(...any) error) (row []any, err error) {
			var num int64
			var body []byte
			if err := scan(&num, &body); err != nil {
				return nil, err
			}
			leaf, err := audit.Record{Leaf: body}.Numbered(num - 1)
			return []any{num - 1, leaf}, err
		}, `SELECT num, body FROM audit_pending ORDER BY num`)
		if err != nil {
			return err
		}
		if err := insertMany(ctx, tx, `INSERT INTO audit_entries (seq, leaf)`, ``, rows); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM audit_pending`)
		return err
	})
}
