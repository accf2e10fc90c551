package store

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A backup is compressed (gzip) lines of JSON, the same whatever the database: a header; for each table a line that
// names it, its columns and their types, and a line for each row, an array; at last a line with the number of rows,
// without which the backup is cut off. Bytes are base64.
const backupFormat = "lanyard-backup/1"

// temporary are the tables that mean nothing elsewhere or later: the release's own bookkeeping, who is at work now,
// what was to be used once, readings that are under way, and entries of the feed, which nobody follows from a copy.
var temporary = []string{"goose_db_version", "feed", "replicas", "terms", "once", "directory_pages"}

// Summary says what a backup holds.
type Summary struct {
	Schema int64     // version of the schema
	At     time.Time // when it was made
	Tables int
	Rows   int64
}

type backupHeader struct {
	Format string `json:"format"`
	Schema int64  `json:"schema"`
	At     int64  `json:"at"` // microseconds since 1970
}

// backupLine is every other line that is not a row.
type backupLine struct {
	Table   string   `json:"table,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Types   []string `json:"types,omitempty"` // int, text, bytes, bool
	Rows    *int64   `json:"rows,omitempty"`  // of the whole backup, on its last line
}

// Backup writes all that is stored, as it was at one moment. Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, to io.Writer) (sum Summary, err error) {
	compressed := gzip.NewWriter(to)
	out := bufio.NewWriterSize(compressed, 1<<16)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if sum.Schema, err = targetVersion(); err != nil {
		return sum, err
	}
	sum.At = time.Now()
	err = s.inSnapshot(ctx, "write a backup", func(tx *sql.Tx) error {
		if err := lines.Encode(backupHeader{backupFormat, sum.Schema, micro(sum.At)}); err != nil {
			return err
		}
		names, err := s.tables(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range names {
			n, err := backupTable(ctx, tx, name, lines)
			if err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
			sum.Tables, sum.Rows = sum.Tables+1, sum.Rows+n
		}
		return lines.Encode(backupLine{Rows: &sum.Rows})
	})
	return sum, errors.Join(err, out.Flush(), compressed.Close())
}

// tables lists the tables that a backup holds.
func (s *Store) tables(ctx context.Context, q querier) ([]string, error) {
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`
	if s.url != "" {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name`
	}
	names, err := queryAll(ctx, q, func(scan func(...any) error) (name string, err error) {
		err = scan(&name)
		return name, err
	}, query)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(temporary, name) }), err
}

func backupTable(ctx context.Context, tx *sql.Tx, name string, lines *json.Encoder) (n int64, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+name)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return 0, err
	}
	head := backupLine{Table: name}
	values, cells := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		kind, cell := cellOf(t.DatabaseTypeName())
		if cell == nil {
			return 0, fmt.Errorf("column %s has the type %s, which backups do not know", t.Name(), t.DatabaseTypeName())
		}
		head.Columns, head.Types, values[i] = append(head.Columns, t.Name()), append(head.Types, kind), cell
	}
	if err := lines.Encode(head); err != nil {
		return 0, err
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return n, err
		}
		for i, v := range values {
			cells[i] = plain(v)
		}
		if err := lines.Encode(cells); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// cellOf is the portable name of a database's type and what its values are read into; nil for one that is not used.
func cellOf(database string) (kind string, cell any) {
	switch strings.ToUpper(database) {
	case "BIGINT", "INT8", "INTEGER":
		return "int", &sql.NullInt64{}
	case "TEXT":
		return "text", &sql.NullString{}
	case "BYTEA", "BLOB":
		return "bytes", &[]byte{}
	case "BOOLEAN", "BOOL":
		return "bool", &sql.NullBool{}
	}
	return "", nil
}

// plain is a cell as JSON has it; nil for NULL.
func plain(cell any) any {
	switch v := cell.(type) {
	case *sql.NullInt64:
		if v.Valid {
			return v.Int64
		}
	case *sql.NullString:
		if v.Valid {
			return v.String
		}
	case *sql.NullBool:
		if v.Valid {
			return v.Bool
		}
	case *[]byte:
		if *v != nil {
			return base64.StdEncoding.EncodeToString(*v)
		}
	}
	return nil
}
