package store

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxBackupLine bounds a row of a backup, in bytes.
const maxBackupLine = 64 << 20

// RestoredWhy is why sign-ins ended that a backup held.
const RestoredWhy = "the data was restored from a backup"

// Restore fills an empty database from a backup, in one transaction: all of it or nothing. Every sign-in and session of
// the backup ends with it, since what was revoked after the backup must not come back; the directory is to be read
// whole; and the event goes into the audit log.
func (s *Store) Restore(ctx context.Context, from io.Reader, event audit.Event) (sum Summary, err error) {
	compressed, err := gzip.NewReader(from)
	if err != nil {
		return sum, notABackup(err)
	}
	lines := bufio.NewScanner(compressed)
	lines.Buffer(nil, maxBackupLine)
	var head backupHeader
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.Format != backupFormat {
		return sum, notABackup(lines.Err())
	}
	target, err := targetVersion()
	if err != nil {
		return sum, err
	}
	if head.Schema > target {
		return sum, laterRelease(head.Schema, target)
	}
	sum.Schema, sum.At = head.Schema, fromMicro(head.At)
	_, err = s.change(ctx, "restore a backup", feed.Entry{Topic: feed.Sessions}, nil, func(tx *sql.Tx) error {
		known, err := s.emptied(ctx, tx)
		if err != nil {
			return err
		}
		r := restoring{tx: tx, known: known}
		if err := r.read(ctx, lines); err != nil {
			return err
		}
		sum.Tables, sum.Rows = r.tables, r.rows
		if err := endRestored(ctx, tx); err != nil {
			return err
		}
		event.Detail = map[string]any{"made": sum.At.UTC().Format(time.RFC3339), "rows": sum.Rows}
		return s.insertEvents(ctx, tx, []audit.Event{event})
	})
	return sum, err
}

func notABackup(err error) error {
	return problem.Wrap(err, problem.Invalid, "This is not a backup that `lanyard backup` wrote, or it was cut off.")
}

// emptied refuses a database that is in use, and removes the rows that every new one has. It returns the tables.
func (s *Store) emptied(ctx context.Context, tx *sql.Tx) (map[string]bool, error) {
	names, err := s.tables(ctx, tx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
			return nil, err
		}
		if n > 1 || n == 1 && slices.Contains([]string{"keys", "sign_ins", "sessions", "workspaces", "project_revisions", "audit_entries"}, name) {
			return nil, problem.New(problem.Conflict,
				"The database is not empty (%s has %d rows). A backup is restored into a new one: give another data folder or database.", name, n)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+name); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// restoring reads the lines of a backup into tables.
type restoring struct {
	tx     *sql.Tx
	known  map[string]bool
	tables int
	rows   int64

	head  backupLine
	batch [][]any
}

var columnName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (r *restoring) read(ctx context.Context, lines *bufio.Scanner) error {
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) > 0 && line[0] == '[' {
			row, err := r.row(line)
			if err != nil {
				return notABackup(err)
			}
			if r.batch = append(r.batch, row); len(r.batch) == 256 {
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
			continue
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		var next backupLine
		if err := json.Unmarshal(line, &next); err != nil {
			return notABackup(err)
		}
		if next.Rows != nil {
			if *next.Rows != r.rows || lines.Scan() {
				return notABackup(fmt.Errorf("it has %d rows and says %d", r.rows, *next.Rows))
			}
			return lines.Err()
		}
		if !r.known[next.Table] || len(next.Columns) == 0 || len(next.Columns) != len(next.Types) ||
			slices.ContainsFunc(next.Columns, func(c string) bool { return !columnName.MatchString(c) }) {
			return notABackup(fmt.Errorf("it has a table %q that this release does not know", next.Table))
		}
		r.head = next
		r.tables++
	}
	if err := lines.Err(); err != nil {
		return notABackup(err)
	}
	return notABackup(io.ErrUnexpectedEOF)
}

func (r *restoring) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	head := fmt.Sprintf("INSERT INTO %s (%s)", r.head.Table, strings.Join(r.head.Columns, ", "))
	if err := insertMany(ctx, r.tx, head, "", r.batch); err != nil {
		return fmt.Errorf("table %s: %w", r.head.Table, err)
	}
	r.rows += int64(len(r.batch))
	r.batch = r.batch[:0]
	return nil
}

// row reads the values of a row by the types of its table's columns.
func (r *restoring) row(line []byte) ([]any, error) {
	var cells []json.RawMessage
	if err := json.Unmarshal(line, &cells); err != nil {
		return nil, err
	}
	if len(cells) != len(r.head.Columns) {
		return nil, fmt.Errorf("a row of table %s has %d values, not %d", r.head.Table, len(cells), len(r.head.Columns))
	}
	row := make([]any, len(cells))
	for i, cell := range cells {
		if bytes.Equal(cell, []byte("null")) {
			continue
		}
		var err error
		switch r.head.Types[i] {
		case "int":
			row[i], err = read[int64](cell)
		case "text":
			row[i], err = read[string](cell)
		case "bool":
			row[i], err = read[bool](cell)
		case "bytes":
			var text string
			if text, err = read[string](cell); err == nil {
				row[i], err = base64.StdEncoding.DecodeString(text)
			}
		default:
			err = fmt.Errorf("there is no type %q", r.head.Types[i])
		}
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", r.head.Table, r.head.Columns[i], err)
		}
	}
	return row, nil
}

func read[T any](cell json.RawMessage) (v T, err error) {
	err = json.Unmarshal(cell, &v)
	return v, err
}

// endRestored ends what a backup must not bring back.
func endRestored(ctx context.Context, tx *sql.Tx) error {
	now := micro(time.Now())
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`UPDATE sign_ins SET ended = $1, ended_why = $2, refresh = $3 WHERE ended = 0`, []any{now, RestoredWhy, []byte{}}},
		{`UPDATE sessions SET ended = $1, ended_why = $2 WHERE ended = 0`, []any{now, RestoredWhy}},
		{`UPDATE grants SET ended = $1, ended_why = $2 WHERE ended = 0`, []any{now, RestoredWhy}},
		{`UPDATE grant_requests SET decision = $1, decided = $2, words = $3 WHERE decision = $4`,
			[]any{string(grant.Withdrawn), now, RestoredWhy, string(grant.Pending)}},
		{`UPDATE directory_state SET as_of = 0`, nil},
		{`DELETE FROM directory_cursors`, nil},
	} {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}
