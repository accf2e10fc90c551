package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
)

const (
	leafColumns  = `seq, leaf, clear, erased`
	indexColumns = `seq, at, action, outcome, person, session, workspace, project, resource`
)

// Sizes returns how long the log and its parts are, of one moment.
func (s *Store) Sizes(ctx context.Context) (z audit.Sizes, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT
		(SELECT num FROM audit_pending_head WHERE id = 1),
		(SELECT COALESCE(MAX(seq), -1) FROM audit_entries),
		(SELECT COALESCE(MAX(size), 0) FROM audit_checkpoints),
		(SELECT position FROM audit_positions WHERE name = $1),
		(SELECT COALESCE(MAX(size), 0) FROM audit_prunings)`, audit.IndexPosition).Scan(&z.Given, &z.Last, &z.Signed, &z.Indexed, &z.Pruned)
	return z, failed(err, "read how long the audit log is")
}

// Leaves returns up to limit events of the log after position after, in order.
func (s *Store) Leaves(ctx context.Context, after int64, limit int) ([]audit.Leaf, error) {
	leaves, err := queryAll(ctx, s.read, scanLeaf, `SELECT `+leafColumns+` FROM audit_entries WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	return leaves, failed(err, "read the audit log")
}

// FindLeaves returns what fits the terms, by time and position.
func (s *Store) FindLeaves(ctx context.Context, t audit.Terms) ([]audit.Leaf, error) {
	where, args := []string{}, []any{}
	add := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			places[i] = len(args)
		}
		where = append(where, fmt.Sprintf(condition, places...))
	}
	for _, f := range []struct {
		column string
		term   int64
	}{{"person", t.Person}, {"session", t.Session}, {"workspace", t.Workspace}, {"resource", t.Resource}, {"project", t.Project}} {
		if f.term != 0 {
			add(f.column+" = $%d AND "+f.column+" <> 0", f.term) // so that the index, which leaves 0 out, may be used
		}
	}
	if t.Action != 0 {
		add("action = $%d", t.Action)
	}
	if t.Outcome != 0 {
		add("outcome = $%d", t.Outcome)
	}
	if !t.Since.IsZero() {
		add("at >= $%d", micro(t.Since))
	}
	if !t.Until.IsZero() {
		add("at < $%d", micro(t.Until))
	}
	than, order := ">", ""
	if t.Down {
		than, order = "<", " DESC"
	}
	if t.From != nil {
		add("(at, seq) "+than+" ($%d, $%d)", micro(t.From.At), t.From.Seq)
	}
	condition := ""
	if len(where) > 0 {
		condition = "WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, t.Limit)
	leaves, err := queryAll(ctx, s.read, scanLeaf, fmt.Sprintf(
		`SELECT e.seq, e.leaf, e.clear, e.erased FROM (SELECT at, seq FROM audit_index %s ORDER BY at%s, seq%[2]s LIMIT $%[3]d) AS i
		JOIN audit_entries e ON e.seq = i.seq ORDER BY i.at%[2]s, i.seq%[2]s`, condition, order, len(args)), args...)
	return leaves, failed(err, "search the audit log")
}

// IndexRows returns what events are filed under after position after, in order.
func (s *Store) IndexRows(ctx context.Context, after int64, limit int) ([]audit.IndexRow, error) {
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (r audit.IndexRow, err error) {
		var at int64
		err = scan(&r.Seq, &at, &r.Action, &r.Outcome, &r.Person, &r.Session, &r.Workspace, &r.Project, &r.Resource)
		r.At = fromMicro(at)
		return r, err
	}, `SELECT `+indexColumns+` FROM audit_index WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	return rows, failed(err, "read the audit log's index")
}

// FirstSince returns the position of the oldest indexed event that is not before a time; -1 for none.
func (s *Store) FirstSince(ctx context.Context, t time.Time) (seq int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT seq FROM audit_index WHERE at >= $1 ORDER BY at, seq LIMIT 1`, micro(t)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	return seq, failed(err, "read the audit log's index")
}

// Positions returns how far those who follow the log have come.
func (s *Store) Positions(ctx context.Context) (map[string]int64, error) {
	type row struct {
		name string
		at   int64
	}
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.name, &r.at)
		return r, err
	}, `SELECT name, position FROM audit_positions`)
	positions := make(map[string]int64, len(rows))
	for _, r := range rows {
		positions[r.name] = r.at
	}
	return positions, failed(err, "read how far the audit log was exported")
}

// Checkpoints returns up to limit signed checkpoints of trees larger than after, by size.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]audit.StoredCheckpoint, error) {
	all, err := queryAll(ctx, s.read, scanCheckpoint, `SELECT size, note FROM audit_checkpoints WHERE size > $1 ORDER BY size LIMIT $2`, after, limit)
	return all, failed(err, "read the audit log's checkpoints")
}

// LastCheckpoint returns the checkpoint of the largest tree; its zero value when there is none.
func (s *Store) LastCheckpoint(ctx context.Context) (audit.StoredCheckpoint, error) {
	return s.checkpoint(ctx, `SELECT size, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1`)
}

// CheckpointOf returns the checkpoint of a size; its zero value when there is none.
func (s *Store) CheckpointOf(ctx context.Context, size int64) (audit.StoredCheckpoint, error) {
	return s.checkpoint(ctx, `SELECT size, note FROM audit_checkpoints WHERE size = $1`, size)
}

func (s *Store) checkpoint(ctx context.Context, query string, args ...any) (audit.StoredCheckpoint, error) {
	c, err := scanCheckpoint(s.read.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.StoredCheckpoint{}, nil
	}
	return c, failed(err, "read a checkpoint of the audit log")
}

// Prunings returns the signed statements about removed events, by size.
func (s *Store) Prunings(ctx context.Context) ([]audit.StoredCheckpoint, error) {
	all, err := queryAll(ctx, s.read, scanCheckpoint, `SELECT size, note FROM audit_prunings ORDER BY size`)
	return all, failed(err, "read what was removed from the audit log")
}

// TreeHashes returns stored hashes whose index is at least from, in order: those of up to limit rows.
func (s *Store) TreeHashes(ctx context.Context, from int64, limit int) (hashes []audit.StoredHash, err error) {
	rows, err := queryAll(ctx, s.read, scanHashes, `SELECT idx, hash FROM audit_hashes
		WHERE idx >= COALESCE((SELECT MAX(idx) FROM audit_hashes WHERE idx <= $1), 0) ORDER BY idx LIMIT $2`, from, limit)
	for _, r := range rows {
		for i, h := range r.hashes {
			if index := r.first + int64(i); index >= from {
				hashes = append(hashes, audit.StoredHash{Index: index, Hash: h})
			}
		}
	}
	return hashes, failed(err, "read the audit log's hashes")
}

// TreeHashesAt returns the stored hashes with these indexes, in any order; absent ones are left out.
func (s *Store) TreeHashesAt(ctx context.Context, indexes []int64) (hashes []audit.StoredHash, err error) {
	for _, index := range indexes {
		r, err := scanHashes(s.read.QueryRowContext(ctx, `SELECT idx, hash FROM audit_hashes WHERE idx <= $1 ORDER BY idx DESC LIMIT 1`, index).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, failed(err, "read the audit log's hashes")
		}
		if i := index - r.first; i < int64(len(r.hashes)) {
			hashes = append(hashes, audit.StoredHash{Index: index, Hash: r.hashes[i]})
		}
	}
	return hashes, nil
}

func scanLeaf(scan func(...any) error) (l audit.Leaf, err error) {
	err = scan(&l.Seq, &l.Body, &l.Clear, &l.Erased)
	return l, err
}

func scanCheckpoint(scan func(...any) error) (c audit.StoredCheckpoint, err error) {
	err = scan(&c.Size, &c.Note)
	return c, err
}

// hashRow holds consecutive hashes of the tree.
type hashRow struct {
	first  int64
	hashes []tlog.Hash
}

// scanHashes reads a row of hashes. Bytes that make no whole hash become one that is zero: whoever checks it will find
// that it is wrong.
func scanHashes(scan func(...any) error) (r hashRow, err error) {
	var joined []byte
	if err := scan(&r.first, &joined); err != nil {
		return r, err
	}
	for len(joined) > 0 {
		var h tlog.Hash
		if len(joined) >= tlog.HashSize {
			copy(h[:], joined)
		}
		r.hashes = append(r.hashes, h)
		joined = joined[min(len(joined), tlog.HashSize):]
	}
	return r, nil
}
