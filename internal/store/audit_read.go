package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
)

const leafColumns = `seq, at, action, person, workspace, body`

// Leaves returns up to limit events of the log after position after, in order.
func (s *Store) Leaves(ctx context.Context, after int64, limit int) ([]audit.Leaf, error) {
	leaves, err := queryAll(ctx, s.read, scanLeaf, `SELECT `+leafColumns+` FROM audit_events WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	return leaves, failed(err, "read the audit log")
}

// SearchLeaves returns what fits the filter, in order, or the newest first.
func (s *Store) SearchLeaves(ctx context.Context, f audit.Filter) ([]audit.Leaf, error) {
	where, args := []string{"seq > $1"}, []any{f.After}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf("%s $%d", condition, len(args)))
	}
	if f.Person != "" {
		add("person =", f.Person)
	}
	if f.Action != "" {
		add("action =", f.Action)
	}
	if f.Workspace != "" {
		add("workspace =", string(f.Workspace))
	}
	if !f.Since.IsZero() {
		add("at >=", micro(f.Since))
	}
	order := "ORDER BY seq"
	if f.Newest {
		order += " DESC"
	}
	args = append(args, f.Limit)
	leaves, err := queryAll(ctx, s.read, scanLeaf,
		fmt.Sprintf(`SELECT %s FROM audit_events WHERE %s %s LIMIT $%d`, leafColumns, strings.Join(where, " AND "), order, len(args)), args...)
	return leaves, failed(err, "search the audit log")
}

// Checkpoints returns up to limit signed checkpoints of trees larger than after, by size.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]audit.StoredCheckpoint, error) {
	all, err := queryAll(ctx, s.read, scanCheckpoint, `SELECT size, note FROM audit_checkpoints WHERE size > $1 ORDER BY size LIMIT $2`, after, limit)
	return all, failed(err, "read the audit log's checkpoints")
}

// LastCheckpoint returns the checkpoint of the largest tree; its zero value when there is none.
func (s *Store) LastCheckpoint(ctx context.Context) (audit.StoredCheckpoint, error) {
	c, err := scanCheckpoint(s.read.QueryRowContext(ctx, `SELECT size, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1`).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.StoredCheckpoint{}, nil
	}
	return c, failed(err, "read the audit log's last checkpoint")
}

// TreeHashes returns up to limit stored hashes whose index is at least from, in order.
func (s *Store) TreeHashes(ctx context.Context, from int64, limit int) ([]audit.StoredHash, error) {
	all, err := queryAll(ctx, s.read, scanHash, `SELECT idx, hash FROM audit_hashes WHERE idx >= $1 ORDER BY idx LIMIT $2`, from, limit)
	return all, failed(err, "read the audit log's hashes")
}

// TreeHashesAt returns the stored hashes with these indexes, in any order; absent ones are left out.
func (s *Store) TreeHashesAt(ctx context.Context, indexes []int64) ([]audit.StoredHash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	all, err := queryAll(ctx, s.read, scanHash, `SELECT idx, hash FROM audit_hashes WHERE idx IN `+placeholders(1, len(indexes)), anys(indexes)...)
	return all, failed(err, "read the audit log's hashes")
}

func scanLeaf(scan func(...any) error) (l audit.Leaf, err error) {
	var at int64
	err = scan(&l.Seq, &at, &l.Action, &l.Person, &l.Workspace, &l.Body)
	l.At = fromMicro(at)
	return l, err
}

func scanCheckpoint(scan func(...any) error) (c audit.StoredCheckpoint, err error) {
	err = scan(&c.Size, &c.Note)
	return c, err
}

func scanHash(scan func(...any) error) (h audit.StoredHash, err error) {
	var hash []byte
	if err := scan(&h.Index, &hash); err != nil {
		return h, err
	}
	if len(hash) != tlog.HashSize {
		return h, nil // a zero hash: whoever checks it will find that it is wrong
	}
	copy(h.Hash[:], hash)
	return h, nil
}
