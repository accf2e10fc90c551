package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
)

const variableColumns = `tenant, object, project, repository, name, value, sealed, secret, set_by, changed`

// Variables implements setting.Rows.
func (s *Store) Variables(ctx context.Context, u identity.UserID, p identity.ProjectID) ([]setting.Row, error) {
	rows, err := queryAll(ctx, s.read, scanVariable, `SELECT `+variableColumns+` FROM variables
		WHERE tenant = $1 AND object = $2 AND project = $3 ORDER BY repository, name`, string(u.Tenant), u.Object, string(p))
	return rows, failed(err, "read variables")
}

// PutVariable implements setting.Rows.
func (s *Store) PutVariable(ctx context.Context, r setting.Row) error {
	return s.inTx(ctx, "keep a variable", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO variables (`+variableColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (tenant, object, project, repository, name) DO UPDATE SET
			value = excluded.value, sealed = excluded.sealed, secret = excluded.secret, set_by = excluded.set_by, changed = excluded.changed`,
			string(r.User.Tenant), r.User.Object, string(r.Project), r.Repository, r.Name, r.Value, nonNil(r.Sealed), r.Secret, displayable(r.By), micro(r.Changed))
		return err
	})
}

// DropVariable implements setting.Rows.
func (s *Store) DropVariable(ctx context.Context, at setting.Scope, name string) (found bool, err error) {
	err = s.inTx(ctx, "remove a variable", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM variables WHERE tenant = $1 AND object = $2 AND project = $3 AND repository = $4 AND name = $5`,
			string(at.User.Tenant), at.User.Object, string(at.Project), at.Repository, name)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		found = n == 1
		return err
	})
	return found && err == nil, err
}

// ResealVariables lets again seal the secret variables anew, and returns how many it changed. One that was set meanwhile stays
// as it is.
func (s *Store) ResealVariables(ctx context.Context, again func(setting.Row) (sealed []byte, changed bool, err error)) (changed int, err error) {
	rows, err := queryAll(ctx, s.read, scanVariable, `SELECT `+variableColumns+` FROM variables WHERE secret`)
	if err != nil {
		return 0, failed(err, "read variables")
	}
	return resealed(rows, again, func(r setting.Row, sealed []byte) error {
		return s.inTx(ctx, "seal a variable again", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE variables SET sealed = $1
				WHERE tenant = $2 AND object = $3 AND project = $4 AND repository = $5 AND name = $6 AND sealed = $7`,
				sealed, string(r.User.Tenant), r.User.Object, string(r.Project), r.Repository, r.Name, r.Sealed)
			return err
		})
	})
}

// Dotfiles implements setting.Rows.
func (s *Store) Dotfiles(ctx context.Context, u identity.UserID) (string, error) {
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (address string, err error) {
		return address, scan(&address)
	}, `SELECT dotfiles FROM preferences WHERE tenant = $1 AND object = $2`, string(u.Tenant), u.Object)
	if err != nil || len(rows) == 0 {
		return "", failed(err, "read preferences")
	}
	return rows[0], nil
}

// PutDotfiles implements setting.Rows.
func (s *Store) PutDotfiles(ctx context.Context, u identity.UserID, repository string) error {
	return s.inTx(ctx, "keep preferences", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO preferences (tenant, object, dotfiles) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, object) DO UPDATE SET dotfiles = excluded.dotfiles`, string(u.Tenant), u.Object, repository)
		return err
	})
}

func scanVariable(scan func(...any) error) (r setting.Row, err error) {
	var tenant, project string
	var changed int64
	err = scan(&tenant, &r.User.Object, &project, &r.Repository, &r.Name, &r.Value, &r.Sealed, &r.Secret, &r.By, &changed)
	r.User.Tenant, r.Project, r.Changed = identity.TenantID(tenant), identity.ProjectID(project), fromMicro(changed)
	return r, err
}
