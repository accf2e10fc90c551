package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var workspaces = table{name: "workspaces", key: []string{"id"},
	columns: []string{"id", "tenant", "object", "owner_name", "project", "repository", "ref", "name", "session", "desired", "phase", "message", "created", "changed"}}

// SaveWorkspace stores a workspace, new or changed.
func (s *Store) SaveWorkspace(ctx context.Context, w workspace.Workspace, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	row := []any{string(w.ID), string(w.Owner.Tenant), w.Owner.Object, displayable(w.OwnerName), string(w.Project), w.Repository, w.Ref, w.Name,
		string(w.Session), string(w.Desired), string(w.Phase), displayable(w.Message), micro(w.Created), micro(w.Changed)}
	return s.change(ctx, "save a workspace", e, events, func(tx *sql.Tx) error {
		return upsertMany(ctx, tx, workspaces, [][]any{row})
	})
}

// DeleteWorkspace removes a workspace's record. Removing one that is not there changes nothing and is announced all the same.
func (s *Store) DeleteWorkspace(ctx context.Context, id identity.WorkspaceID, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "delete a workspace", e, events, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM workspaces WHERE id = $1`, string(id))
		return err
	})
}

// LoadWorkspaces returns all workspaces, oldest first, and the feed's number at which they held.
func (s *Store) LoadWorkspaces(ctx context.Context) (all []workspace.Workspace, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "load workspaces", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		all, err = queryAll(ctx, tx, scanWorkspace, `SELECT id, tenant, object, owner_name, project, repository, ref, name, session,
			desired, phase, message, created, changed FROM workspaces ORDER BY created, id`)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return all, seq, nil
}

func scanWorkspace(scan func(...any) error) (w workspace.Workspace, err error) {
	var created, changed int64
	err = scan(&w.ID, &w.Owner.Tenant, &w.Owner.Object, &w.OwnerName, &w.Project, &w.Repository, &w.Ref, &w.Name, &w.Session,
		&w.Desired, &w.Phase, &w.Message, &created, &changed)
	w.Created, w.Changed = fromMicro(created), fromMicro(changed)
	return w, err
}
