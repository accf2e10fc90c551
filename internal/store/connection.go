package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const connectionColumns = `tenant, object, app, login, account, sealed, made, renewed, ends, broken, version`

// Connection implements connection.Rows.
func (s *Store) Connection(ctx context.Context, u identity.UserID, app string) (row connection.Row, found bool, err error) {
	rows, err := queryAll(ctx, s.read, scanConnection,
		`SELECT `+connectionColumns+` FROM connections WHERE tenant = $1 AND object = $2 AND app = $3`, string(u.Tenant), u.Object, app)
	if err != nil || len(rows) == 0 {
		return row, false, failed(err, "read a connection")
	}
	return rows[0], true, nil
}

// Connections implements connection.Rows.
func (s *Store) Connections(ctx context.Context, u identity.UserID) ([]connection.Row, error) {
	rows, err := queryAll(ctx, s.read, scanConnection,
		`SELECT `+connectionColumns+` FROM connections WHERE tenant = $1 AND object = $2 ORDER BY app`, string(u.Tenant), u.Object)
	return rows, failed(err, "read connections")
}

// PutConnection implements connection.Rows. A version goes on counting over what it replaces, so that who still renews
// the old one does not overwrite the new.
func (s *Store) PutConnection(ctx context.Context, r connection.Row, events ...audit.Event) error {
	return s.inTx(ctx, "keep a connection", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO connections (`+connectionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (tenant, object, app) DO UPDATE SET login = excluded.login, account = excluded.account, sealed = excluded.sealed,
			made = excluded.made, renewed = excluded.renewed, ends = excluded.ends, broken = excluded.broken, version = connections.version + 1`,
			string(r.User.Tenant), r.User.Object, r.App, displayable(r.Login), r.Account, nonNil(r.Sealed), micro(r.Made), micro(r.Renewed), micro(r.Ends),
			r.Broken, r.Version)
		if err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
}

// RenewConnection implements connection.Rows.
func (s *Store) RenewConnection(ctx context.Context, r connection.Row) (done bool, err error) {
	err = s.inTx(ctx, "renew a connection", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE connections SET sealed = $1, renewed = $2, ends = $3, broken = $4, version = version + 1
			WHERE tenant = $5 AND object = $6 AND app = $7 AND version = $8`,
			nonNil(r.Sealed), micro(r.Renewed), micro(r.Ends), r.Broken, string(r.User.Tenant), r.User.Object, r.App, r.Version)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		done = n == 1
		return err
	})
	return done && err == nil, err
}

// DropConnection implements connection.Rows.
func (s *Store) DropConnection(ctx context.Context, u identity.UserID, app string, events ...audit.Event) (found bool, err error) {
	err = s.inTx(ctx, "remove a connection", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM connections WHERE tenant = $1 AND object = $2 AND app = $3`, string(u.Tenant), u.Object, app)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if found = n == 1; err != nil || !found {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
	return found && err == nil, err
}

// ResealConnections lets again seal the tokens of all connections anew, and returns how many it changed. One that was renewed
// meanwhile stays as it is.
func (s *Store) ResealConnections(ctx context.Context, again func(connection.Row) (sealed []byte, changed bool, err error)) (changed int, err error) {
	rows, err := queryAll(ctx, s.read, scanConnection, `SELECT `+connectionColumns+` FROM connections`)
	if err != nil {
		return 0, failed(err, "read connections")
	}
	for _, row := range rows {
		sealed, differs, err := again(row)
		if err != nil {
			return changed, err
		}
		if !differs {
			continue
		}
		row.Sealed = sealed
		done, err := s.RenewConnection(ctx, row)
		if err != nil {
			return changed, err
		}
		if done {
			changed++
		}
	}
	return changed, nil
}

func scanConnection(scan func(...any) error) (r connection.Row, err error) {
	var tenant string
	var made, renewed, ends int64
	err = scan(&tenant, &r.User.Object, &r.App, &r.Login, &r.Account, &r.Sealed, &made, &renewed, &ends, &r.Broken, &r.Version)
	r.User.Tenant = identity.TenantID(tenant)
	r.Made, r.Renewed, r.Ends = fromMicro(made), fromMicro(renewed), fromMicro(ends)
	return r, err
}
