package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// What is revoked stays revoked.
var scimCredentials = table{name: "scim_credentials", key: []string{"id"}, columns: []string{"id", "name", "kind", "hash", "made", "expires", "revoked"},
	merge: map[string]string{"revoked": "CASE WHEN scim_credentials.revoked <> 0 THEN scim_credentials.revoked ELSE excluded.revoked END"}}

// SaveSCIMCredential implements provision.Rows.
func (s *Store) SaveSCIMCredential(ctx context.Context, c provision.Credential, e feed.Entry, events ...audit.Event) error {
	_, err := s.change(ctx, "save a provisioning credential", e, events, func(tx *sql.Tx) error {
		return upsertMany(ctx, tx, scimCredentials, [][]any{{c.ID, displayable(c.Name), string(c.Kind), nonNil(c.Hash), micro(c.Made), micro(c.Expires), micro(c.Revoked)}})
	})
	return err
}

// SCIMCredentials implements provision.Rows.
func (s *Store) SCIMCredentials(ctx context.Context) (all []provision.Credential, uses []provision.Use, err error) {
	err = s.inSnapshot(ctx, "read the provisioning credentials", func(tx *sql.Tx) error {
		if all, err = queryAll(ctx, tx, func(scan func(...any) error) (c provision.Credential, err error) {
			var made, expires, revoked int64
			err = scan(&c.ID, &c.Name, &c.Kind, &c.Hash, &made, &expires, &revoked)
			c.Made, c.Expires, c.Revoked = fromMicro(made), fromMicro(expires), fromMicro(revoked)
			return c, err
		}, `SELECT id, name, kind, hash, made, expires, revoked FROM scim_credentials ORDER BY made, id`); err != nil {
			return err
		}
		uses, err = queryAll(ctx, tx, func(scan func(...any) error) (u provision.Use, err error) {
			var used int64
			err = scan(&u.Credential, &used, &u.IP)
			u.At = fromMicro(used)
			return u, err
		}, `SELECT credential, used, ip FROM scim_uses`)
		return err
	})
	return all, uses, err
}

// NoteSCIMUse implements provision.Rows.
func (s *Store) NoteSCIMUse(ctx context.Context, u provision.Use) error {
	return s.inTx(ctx, "note the use of a provisioning credential", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO scim_uses (credential, used, ip) VALUES ($1, $2, $3)
			ON CONFLICT (credential) DO UPDATE SET used = excluded.used, ip = excluded.ip WHERE excluded.used > scim_uses.used`, u.Credential, micro(u.At), u.IP)
		return err
	})
}
