package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// table says how rows of one table are written whole.
type table struct {
	name    string
	key     []string
	columns []string          // key columns first
	merge   map[string]string // columns whose new value is not simply the written one, as an SQL expression
}

var (
	directoryUsers   = table{name: "directory_users", key: []string{"tenant", "object"}, columns: []string{"tenant", "object", "name", "user_name", "mail", "enabled", "sign_ins_from"}}
	directoryGroups  = table{name: "directory_groups", key: []string{"tenant", "object"}, columns: []string{"tenant", "object", "name", "security", "assigned"}}
	directoryCursors = table{name: "directory_cursors", key: []string{"name"}, columns: []string{"name", "cursor"}}
)

// head is the statement up to its VALUES.
func (t table) head() string {
	return fmt.Sprintf("INSERT INTO %s (%s)", t.name, strings.Join(t.columns, ", "))
}

// tail makes the statement replace what is there under the same key.
func (t table) tail() string {
	var set []string
	for _, c := range t.columns {
		if slices.Contains(t.key, c) {
			continue
		}
		value := "excluded." + c
		if m, ok := t.merge[c]; ok {
			value = m
		}
		set = append(set, c+" = "+value)
	}
	return fmt.Sprintf("ON CONFLICT (%s) DO UPDATE SET %s", strings.Join(t.key, ", "), strings.Join(set, ", "))
}

// upsertMany writes rows whole; of several with the same key the last one holds.
func upsertMany(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	last := make(map[string]int, len(rows))
	distinct := make([][]any, 0, len(rows))
	for _, row := range rows {
		key := fmt.Sprintf("%#v", row[:len(t.key)]) // quoted, so that no two keys print alike
		if i, ok := last[key]; ok {
			distinct[i] = row // PostgreSQL refuses to touch a row twice in one statement
			continue
		}
		last[key] = len(distinct)
		distinct = append(distinct, row)
	}
	return insertMany(ctx, tx, t.head(), t.tail(), distinct)
}
