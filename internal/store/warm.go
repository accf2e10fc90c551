package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var warmWorkspaces = table{name: "warm_workspaces", key: []string{"id"}, columns: []string{"id", "project", "class", "created", "node"}}

// SaveWarm notes a workspace that is made ahead.
func (s *Store) SaveWarm(ctx context.Context, w workspace.Warm, events ...audit.Event) error {
	row := []any{string(w.ID), string(w.Project), w.Class, micro(w.Created), w.Node}
	return s.inTx(ctx, "save a warm workspace", func(tx *sql.Tx) error {
		if err := upsertMany(ctx, tx, warmWorkspaces, [][]any{row}); err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// DeleteWarm forgets one. Forgetting one that is not there is no error.
func (s *Store) DeleteWarm(ctx context.Context, id identity.WorkspaceID, events ...audit.Event) error {
	return s.inTx(ctx, "forget a warm workspace", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM warm_workspaces WHERE id = $1`, string(id)); err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// LoadWarm returns all that are noted, oldest first.
func (s *Store) LoadWarm(ctx context.Context) ([]workspace.Warm, error) {
	all, err := queryAll(ctx, s.read, func(scan func(...any) error) (w workspace.Warm, err error) {
		var created int64
		err = scan(&w.ID, &w.Project, &w.Class, &created, &w.Node)
		w.Created = fromMicro(created)
		return w, err
	}, `SELECT id, project, class, created, node FROM warm_workspaces ORDER BY created, id`)
	return all, failed(err, "load warm workspaces")
}
