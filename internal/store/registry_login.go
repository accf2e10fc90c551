package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
)

const registryLoginColumns = `tenant, object, host, username, sealed, changed, used`

// RegistryLogins implements setting.RegistryLoginRows.
func (s *Store) RegistryLogins(ctx context.Context, u identity.UserID) ([]setting.RegistryLoginRow, error) {
	rows, err := queryAll(ctx, s.read, scanRegistryLogin, `SELECT `+registryLoginColumns+` FROM registry_logins WHERE tenant = $1 AND object = $2 ORDER BY host`,
		string(u.Tenant), u.Object)
	return rows, failed(err, "read credentials for registries")
}

// AllRegistryLogins implements setting.RegistryLoginRows.
func (s *Store) AllRegistryLogins(ctx context.Context) ([]setting.RegistryLoginRow, error) {
	rows, err := queryAll(ctx, s.read, scanRegistryLogin, `SELECT `+registryLoginColumns+` FROM registry_logins ORDER BY tenant, object, host`)
	return rows, failed(err, "read credentials for registries")
}

// PutRegistryLogin implements setting.RegistryLoginRows.
func (s *Store) PutRegistryLogin(ctx context.Context, r setting.RegistryLoginRow) error {
	return s.inTx(ctx, "keep a credential for a registry", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO registry_logins (`+registryLoginColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant, object, host) DO UPDATE SET username = excluded.username, sealed = excluded.sealed, changed = excluded.changed, used = excluded.used`,
			string(r.Owner.Tenant), r.Owner.Object, r.Host, r.User, nonNil(r.Sealed), micro(r.Changed), micro(r.Used))
		return err
	})
}

// DropRegistryLogin implements setting.RegistryLoginRows.
func (s *Store) DropRegistryLogin(ctx context.Context, u identity.UserID, host string) (found bool, err error) {
	err = s.inTx(ctx, "remove a credential for a registry", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM registry_logins WHERE tenant = $1 AND object = $2 AND host = $3`, string(u.Tenant), u.Object, host)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		found = n == 1
		return err
	})
	return found && err == nil, err
}

// UseRegistryLogin implements setting.RegistryLoginRows.
func (s *Store) UseRegistryLogin(ctx context.Context, u identity.UserID, host string, at time.Time) error {
	return s.inTx(ctx, "note the use of a credential for a registry", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE registry_logins SET used = $1 WHERE tenant = $2 AND object = $3 AND host = $4`, micro(at), string(u.Tenant), u.Object, host)
		return err
	})
}

// ResealRegistryLogins lets again seal the passwords anew, and returns how many it changed. One that was stored meanwhile stays
// as it is.
func (s *Store) ResealRegistryLogins(ctx context.Context, again func(setting.RegistryLoginRow) (sealed []byte, changed bool, err error)) (changed int, err error) {
	rows, err := s.AllRegistryLogins(ctx)
	if err != nil {
		return 0, err
	}
	return resealed(rows, again, func(r setting.RegistryLoginRow, sealed []byte) error {
		return s.inTx(ctx, "seal a credential again", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE registry_logins SET sealed = $1 WHERE tenant = $2 AND object = $3 AND host = $4 AND sealed = $5`,
				sealed, string(r.Owner.Tenant), r.Owner.Object, r.Host, r.Sealed)
			return err
		})
	})
}

func scanRegistryLogin(scan func(...any) error) (r setting.RegistryLoginRow, err error) {
	var tenant string
	var changed, used int64
	err = scan(&tenant, &r.Owner.Object, &r.Host, &r.User, &r.Sealed, &changed, &used)
	r.Owner.Tenant, r.Changed, r.Used = identity.TenantID(tenant), fromMicro(changed), fromMicro(used)
	return r, err
}
