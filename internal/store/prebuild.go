package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
)

const prebuildColumns = `id, project, repository, ref, head, cause, state, message, log, workspace, size, digest, created, started, ended, expires, node`

// PutPrebuild implements prebuild.Rows.
func (s *Store) PutPrebuild(ctx context.Context, r prebuild.Row, events ...audit.Event) error {
	return s.inTx(ctx, "keep a prebuild", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO prebuilds (`+prebuildColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, message = excluded.message, log = excluded.log, workspace = excluded.workspace,
				size = excluded.size, digest = excluded.digest, started = excluded.started, ended = excluded.ended, expires = excluded.expires`,
			string(r.ID), string(r.Project), r.Repository, r.Ref, r.Commit, displayable(r.Cause), string(r.State), displayable(r.Message), displayable(r.Log),
			string(r.Workspace), r.Size, r.Digest, micro(r.Created), micro(r.Started), micro(r.Ended), micro(r.Expires), r.Node)
		if err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// Prebuild implements prebuild.Rows.
func (s *Store) Prebuild(ctx context.Context, id identity.PrebuildID) (row prebuild.Row, found bool, err error) {
	rows, err := queryAll(ctx, s.read, scanPrebuild, `SELECT `+prebuildColumns+` FROM prebuilds WHERE id = $1`, string(id))
	if err != nil || len(rows) == 0 {
		return row, false, failed(err, "read a prebuild")
	}
	return rows[0], true, nil
}

// Prebuilds implements prebuild.Rows.
func (s *Store) Prebuilds(ctx context.Context) ([]prebuild.Row, error) {
	rows, err := queryAll(ctx, s.read, scanPrebuild, `SELECT `+prebuildColumns+` FROM prebuilds ORDER BY created DESC, id`)
	return rows, failed(err, "read prebuilds")
}

// DropPrebuild implements prebuild.Rows.
func (s *Store) DropPrebuild(ctx context.Context, id identity.PrebuildID, events ...audit.Event) (found bool, err error) {
	err = s.inTx(ctx, "remove a prebuild", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM prebuilds WHERE id = $1`, string(id))
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

func scanPrebuild(scan func(...any) error) (r prebuild.Row, err error) {
	var id, project, state, workspace string
	var created, started, ended, expires int64
	err = scan(&id, &project, &r.Repository, &r.Ref, &r.Commit, &r.Cause, &state, &r.Message, &r.Log, &workspace, &r.Size, &r.Digest, &created, &started, &ended, &expires, &r.Node)
	r.ID, r.Project, r.State, r.Workspace = identity.PrebuildID(id), identity.ProjectID(project), prebuild.State(state), identity.WorkspaceID(workspace)
	r.Created, r.Started, r.Ended, r.Expires = fromMicro(created), fromMicro(started), fromMicro(ended), fromMicro(expires)
	return r, err
}
