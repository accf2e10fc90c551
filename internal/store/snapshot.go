package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/snapshot"
)

const snapshotColumns = `id, tenant, object, owner_name, workspace, project, repository, ref, name, head, dirty, branch, note, size, digest, created, expires, node, origins`

// AddSnapshot implements snapshot.Rows.
func (s *Store) AddSnapshot(ctx context.Context, r snapshot.Row, events ...audit.Event) error {
	return s.inTx(ctx, "keep a snapshot", func(tx *sql.Tx) error {
		origins, err := json.Marshal(r.Origins)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO snapshots (`+snapshotColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
			string(r.ID), string(r.Owner.Tenant), r.Owner.Object, displayable(r.OwnerName), string(r.Workspace), string(r.Project), r.Repository, r.Ref, r.Name,
			r.Commit, r.Dirty, displayable(r.Branch), displayable(r.Note), r.Size, r.Digest, micro(r.Created), micro(r.Expires), r.Node, string(origins))
		if err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// Snapshot implements snapshot.Rows.
func (s *Store) Snapshot(ctx context.Context, id identity.SnapshotID) (row snapshot.Row, found bool, err error) {
	rows, err := queryAll(ctx, s.read, scanSnapshot, `SELECT `+snapshotColumns+` FROM snapshots WHERE id = $1`, string(id))
	if err != nil || len(rows) == 0 {
		return row, false, failed(err, "read a snapshot")
	}
	return rows[0], true, nil
}

// Snapshots implements snapshot.Rows.
func (s *Store) Snapshots(ctx context.Context) ([]snapshot.Row, error) {
	rows, err := queryAll(ctx, s.read, scanSnapshot, `SELECT `+snapshotColumns+` FROM snapshots ORDER BY created DESC, id`)
	return rows, failed(err, "read snapshots")
}

// DropSnapshot implements snapshot.Rows.
func (s *Store) DropSnapshot(ctx context.Context, id identity.SnapshotID, events ...audit.Event) (found bool, err error) {
	err = s.inTx(ctx, "remove a snapshot", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM snapshots WHERE id = $1`, string(id))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if found = n == 1; err != nil || !found {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
	return found && err == nil, err
}

func scanSnapshot(scan func(...any) error) (r snapshot.Row, err error) {
	var id, tenant, workspace, project, origins string
	var created, expires int64
	err = scan(&id, &tenant, &r.Owner.Object, &r.OwnerName, &workspace, &project, &r.Repository, &r.Ref, &r.Name,
		&r.Commit, &r.Dirty, &r.Branch, &r.Note, &r.Size, &r.Digest, &created, &expires, &r.Node, &origins)
	if err != nil {
		return r, err
	}
	r.ID, r.Owner.Tenant, r.Workspace, r.Project = identity.SnapshotID(id), identity.TenantID(tenant), identity.WorkspaceID(workspace), identity.ProjectID(project)
	r.Created, r.Expires = fromMicro(created), fromMicro(expires)
	return r, json.Unmarshal([]byte(origins), &r.Origins)
}
