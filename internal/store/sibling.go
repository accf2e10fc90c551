package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var siblings = table{name: "siblings", key: []string{"id"},
	columns: []string{"id", "workspace", "tenant", "object", "session", "agent", "delegation", "shared", "base", "branch", "kept", "created", "node"}}

// SaveSibling stores what stands beside a workspace, new or changed.
func (s *Store) SaveSibling(ctx context.Context, w workspace.Sibling, events ...audit.Event) error {
	row := []any{string(w.ID), string(w.Of), string(w.Owner.Tenant), w.Owner.Object, string(w.Session), w.Agent, string(w.Grant), w.Shared,
		w.Base, w.Branch, displayable(w.Kept), micro(w.Created), w.Node}
	return s.inTx(ctx, "save a sibling", func(tx *sql.Tx) error {
		if err := upsertMany(ctx, tx, siblings, [][]any{row}); err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// DeleteSibling removes the record of a sibling. Removing one that is not there is no error.
func (s *Store) DeleteSibling(ctx context.Context, id identity.WorkspaceID, events ...audit.Event) error {
	return s.inTx(ctx, "delete a sibling", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM siblings WHERE id = $1`, string(id)); err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// LoadSiblings returns all siblings, oldest first.
func (s *Store) LoadSiblings(ctx context.Context) ([]workspace.Sibling, error) {
	all, err := queryAll(ctx, s.read, scanSibling,
		`SELECT id, workspace, tenant, object, session, agent, delegation, shared, base, branch, kept, created, node FROM siblings ORDER BY created, id`)
	return all, failed(err, "load siblings")
}

func scanSibling(scan func(...any) error) (w workspace.Sibling, err error) {
	var created int64
	err = scan(&w.ID, &w.Of, &w.Owner.Tenant, &w.Owner.Object, &w.Session, &w.Agent, &w.Grant, &w.Shared, &w.Base, &w.Branch, &w.Kept, &created, &w.Node)
	w.Created = fromMicro(created)
	return w, err
}
