package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
)

const (
	scimFactColumns = `kind, object, name, display, mail, active, roles`
	scimPairs       = `SELECT g.object, u.kind, u.object FROM scim_members m JOIN scim_resources g ON g.id = m.group_id JOIN scim_resources u ON u.id = m.member_id
		WHERE g.object <> '' AND u.object <> ''`
)

// SCIMFacts implements provision.Rows.
func (s *Store) SCIMFacts(ctx context.Context, users, groups, whole []string) (f provision.Facts, err error) {
	err = s.inSnapshot(ctx, "read what is provisioned", func(tx *sql.Tx) error {
		if f.Seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		if err := inChunks(users, func(in string, args []any) error {
			if err := factsWhere(ctx, tx, &f.Users, `kind = 'User' AND object IN `+in, args...); err != nil {
				return err
			}
			return appendQuery(ctx, tx, &f.Gone, scanText, `SELECT object FROM scim_gone WHERE object IN `+in, args...)
		}); err != nil {
			return err
		}
		if err := inChunks(groups, func(in string, args []any) error {
			return factsWhere(ctx, tx, &f.Groups, `kind = 'Group' AND object IN `+in, args...)
		}); err != nil {
			return err
		}
		for kind, objects := range map[string][]string{"User": users, "Group": groups} {
			if err := inChunks(objects, func(in string, args []any) error {
				return appendQuery(ctx, tx, &f.Members, scanPair, scimPairs+` AND u.kind = '`+kind+`' AND u.object IN `+in, args...)
			}); err != nil {
				return err
			}
		}
		return inChunks(whole, func(in string, args []any) error {
			return appendQuery(ctx, tx, &f.Members, scanPair, scimPairs+` AND g.object IN `+in, args...)
		})
	})
	return f, err
}

// AllSCIMFacts implements provision.Rows.
func (s *Store) AllSCIMFacts(ctx context.Context, members bool) (f provision.Facts, err error) {
	err = s.inSnapshot(ctx, "read what is provisioned", func(tx *sql.Tx) error {
		if f.Seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		if f.Gone, err = queryAll(ctx, tx, scanText, `SELECT object FROM scim_gone`); err != nil {
			return err
		}
		if !members {
			return factsWhere(ctx, tx, &f.Users, `kind = 'User' AND object <> '' AND NOT active`)
		}
		if err := factsWhere(ctx, tx, &f.Users, `kind = 'User' AND object <> ''`); err != nil {
			return err
		}
		if err := factsWhere(ctx, tx, &f.Groups, `kind = 'Group' AND object <> ''`); err != nil {
			return err
		}
		f.Members, err = queryAll(ctx, tx, scanPair, scimPairs)
		return err
	})
	return f, err
}

func factsWhere(ctx context.Context, q querier, to *[]provision.Row, where string, args ...any) error {
	return appendQuery(ctx, q, to, func(scan func(...any) error) (r provision.Row, err error) {
		var roles string
		if err := scan(&r.Kind, &r.Object, &r.Name, &r.Display, &r.Mail, &r.Active, &roles); err != nil {
			return r, err
		}
		return r, json.Unmarshal([]byte(roles), &r.Roles)
	}, `SELECT `+scimFactColumns+` FROM scim_resources WHERE `+where, args...)
}

func scanPair(scan func(...any) error) (p provision.Pair, err error) {
	err = scan(&p.Group, &p.Kind, &p.Member)
	return p, err
}

func appendQuery[T any](ctx context.Context, q querier, to *[]T, scan func(func(...any) error) (T, error), query string, args ...any) error {
	some, err := queryAll(ctx, q, scan, query, args...)
	*to = append(*to, some...)
	return err
}

// ForgetSCIM implements provision.Rows.
func (s *Store) ForgetSCIM(ctx context.Context, objects []string, e feed.Entry, events ...audit.Event) error {
	_, err := s.change(ctx, "forget who was deleted", e, events, func(tx *sql.Tx) error {
		return inChunks(objects, func(in string, args []any) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM scim_gone WHERE object IN `+in, args...)
			return err
		})
	})
	return err
}
