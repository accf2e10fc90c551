package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/directory"
)

var directoryPages = table{name: "directory_pages", key: []string{"reading", "number"}, columns: []string{"reading", "number", "asked", "next", "body"}}

// AddPages implements directory.Pages.
func (s *Store) AddPages(ctx context.Context, reading string, pages []directory.Page) error {
	rows := make([][]any, 0, len(pages))
	for _, p := range pages {
		rows = append(rows, []any{reading, p.Number, micro(p.Asked), p.Next, p.Body})
	}
	return s.inTx(ctx, "keep what was read of the directory", func(tx *sql.Tx) error {
		return upsertMany(ctx, tx, directoryPages, rows)
	})
}

// LoadPages implements directory.Pages. The rows are read as they are taken, so that no more than a few are in memory.
func (s *Store) LoadPages(ctx context.Context, reading string, take func(directory.Page) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT number, asked, next, body FROM directory_pages WHERE reading = $1 ORDER BY number`, reading)
	if err != nil {
		return failed(err, "read what was kept of a reading")
	}
	defer rows.Close()
	for rows.Next() {
		var p directory.Page
		var asked int64
		if err := rows.Scan(&p.Number, &asked, &p.Next, &p.Body); err != nil {
			return failed(err, "read what was kept of a reading")
		}
		p.Asked = fromMicro(asked)
		if err := take(p); err != nil {
			return err
		}
	}
	return failed(rows.Err(), "read what was kept of a reading")
}

// DropPages implements directory.Pages.
func (s *Store) DropPages(ctx context.Context, reading string) error {
	return s.inTx(ctx, "forget a reading of the directory", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM directory_pages WHERE reading = $1`, reading)
		return err
	})
}
