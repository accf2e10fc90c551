package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// parametersAtMost bounds one statement: SQLite looks for a numbered parameter among all those of its statement, so that
// many rows in one cost more than they save.
const parametersAtMost = 160

// insertMany inserts rows with statements of many rows each. Statements take a power of two of rows, so that
// few different texts are prepared. head ends before VALUES, tail follows the rows; every row has the same width.
func insertMany(ctx context.Context, tx *sql.Tx, head, tail string, rows [][]any) error {
	for size := 256; size > 0; size /= 2 {
		if len(rows) < size || size > 1 && size*len(rows[0]) > parametersAtMost {
			continue
		}
		insert, err := tx.PrepareContext(ctx, head+" VALUES "+placeholders(size, len(rows[0]))+" "+tail)
		if err != nil {
			return err
		}
		args := make([]any, 0, size*len(rows[0]))
		for len(rows) >= size {
			args = args[:0]
			for _, row := range rows[:size] {
				args = append(args, row...)
			}
			if _, err := insert.ExecContext(ctx, args...); err != nil {
				insert.Close()
				return err
			}
			rows = rows[size:]
		}
		if err := insert.Close(); err != nil {
			return err
		}
	}
	return nil
}

// placeholders makes "($1,$2),($3,$4)".
func placeholders(rows, width int) string {
	var b strings.Builder
	for r := range rows {
		for c := range width {
			switch {
			case c > 0:
				b.WriteByte(',')
			case r > 0:
				b.WriteString(",(")
			default:
				b.WriteByte('(')
			}
			fmt.Fprintf(&b, "$%d", r*width+c+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// executeMany runs one prepared statement for each row of arguments.
func executeMany(ctx context.Context, tx *sql.Tx, query string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	statement, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, args := range rows {
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// queryAll collects what scan makes of each row.
func queryAll[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// displayable makes s storable where a text may hold neither NUL nor invalid UTF-8. For names that are shown, never for keys.
func displayable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// anys is a list as arguments of a query.
func anys[T any](list []T) []any {
	args := make([]any, len(list))
	for i, v := range list {
		args[i] = v
	}
	return args
}
