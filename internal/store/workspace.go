package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var workspaces = table{name: "workspaces", key: []string{"id"},
	columns: []string{"id", "tenant", "object", "owner_name", "project", "repository", "ref", "name", "session", "desired", "phase", "message", "created", "changed", "node", "details"},
	merge:   map[string]string{"desired": "workspaces.desired"}} // a person's, who may be at another replica: see WantWorkspace

const workspaceColumns = `id, tenant, object, owner_name, project, repository, ref, name, session, desired, phase, message, created, changed, node, details`

// SaveWorkspace stores a workspace, new or changed; what is wanted of a known one stays.
func (s *Store) SaveWorkspace(ctx context.Context, w workspace.Workspace, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	details, err := json.Marshal(w.Details)
	if err != nil {
		return 0, fmt.Errorf("save a workspace: %w", err)
	}
	row := []any{string(w.ID), string(w.Owner.Tenant), w.Owner.Object, displayable(w.OwnerName), string(w.Project), w.Repository, w.Ref, w.Name,
		string(w.Session), string(w.Desired), string(w.Phase), displayable(w.Message), micro(w.Created), micro(w.Changed), w.Node, string(details)}
	return s.change(ctx, "save a workspace", e, events, func(tx *sql.Tx) error {
		return upsertMany(ctx, tx, workspaces, [][]any{row})
	})
}

// WantWorkspace stores what is wanted of a workspace from now on, if that is still what it was.
func (s *Store) WantWorkspace(ctx context.Context, w workspace.Workspace, was workspace.Desired, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "say what is wanted of a workspace", e, events, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE workspaces SET desired = $1, changed = $2, message = CASE WHEN $3 = '' THEN '' ELSE message END
			WHERE id = $4 AND desired = $5`, string(w.Desired), micro(w.Changed), displayable(w.Message), string(w.ID), string(was))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return problem.New(problem.Conflict, "Somebody else has just changed what workspace %s is to do. Look at it and try again.", w.ID)
	})
}

// ReviseWorkspace changes the details of a workspace as they are stored; one that is not there is a problem.NotFound.
func (s *Store) ReviseWorkspace(ctx context.Context, id identity.WorkspaceID, change func(*workspace.Details), e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "change what is remembered of a workspace", e, events, func(tx *sql.Tx) error {
		var text string
		switch err := tx.QueryRowContext(ctx, `SELECT details FROM workspaces WHERE id = $1`, string(id)).Scan(&text); {
		case errors.Is(err, sql.ErrNoRows):
			return problem.New(problem.NotFound, "There is no workspace %s.", id)
		case err != nil:
			return err
		}
		var details workspace.Details
		if err := json.Unmarshal([]byte(text), &details); err != nil {
			return err
		}
		change(&details)
		revised, err := json.Marshal(details)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE workspaces SET details = $1 WHERE id = $2`, string(revised), string(id))
		return err
	})
}

// ReadWorkspaces returns the workspaces with these IDs; unknown ones are left out.
func (s *Store) ReadWorkspaces(ctx context.Context, ids []string) (all []workspace.Workspace, err error) {
	for chunk := range slices.Chunk(ids, 256) {
		some, err := queryAll(ctx, s.read, scanWorkspace, `SELECT `+workspaceColumns+` FROM workspaces WHERE id IN `+placeholders(1, len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, failed(err, "read workspaces")
		}
		all = append(all, some...)
	}
	return all, nil
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
		all, err = queryAll(ctx, tx, scanWorkspace, `SELECT `+workspaceColumns+` FROM workspaces ORDER BY created, id`)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return all, seq, nil
}

func scanWorkspace(scan func(...any) error) (w workspace.Workspace, err error) {
	var created, changed int64
	var details string
	err = scan(&w.ID, &w.Owner.Tenant, &w.Owner.Object, &w.OwnerName, &w.Project, &w.Repository, &w.Ref, &w.Name, &w.Session,
		&w.Desired, &w.Phase, &w.Message, &created, &changed, &w.Node, &details)
	if err == nil {
		err = json.Unmarshal([]byte(details), &w.Details)
	}
	w.Created, w.Changed = fromMicro(created), fromMicro(changed)
	return w, err
}
