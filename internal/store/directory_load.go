package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// LoadDirectory returns the whole directory as one change, its cursors, its age and the number of the feed at which
// all of that held.
func (s *Store) LoadDirectory(ctx context.Context) (c directory.Change, cursors map[string]string, asOf time.Time, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "load the directory", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		var at int64
		if err := tx.QueryRowContext(ctx, `SELECT as_of FROM directory_state WHERE id = 1`).Scan(&at); err != nil {
			return err
		}
		asOf = fromMicro(at)
		if cursors, err = loadCursors(ctx, tx); err != nil {
			return err
		}
		c = directory.Change{Reset: directory.Everything, Cursors: cursors, AsOf: asOf}
		if c.Users, err = queryAll(ctx, tx, scanUser, `SELECT tenant, object, name, user_name, mail, enabled, sign_ins_from FROM directory_users`); err != nil {
			return err
		}
		if c.Groups, err = queryAll(ctx, tx, scanGroup, `SELECT tenant, object, name, security, assigned FROM directory_groups`); err != nil {
			return err
		}
		if c.Blocks, err = queryAll(ctx, tx, scanBlock, `SELECT tenant, object FROM directory_blocks`); err != nil {
			return err
		}
		sets, err := queryAll(ctx, tx, scanSet, `SELECT tenant, object, part, members FROM directory_sets`)
		if err != nil {
			return err
		}
		c.Members, err = memberships(sets)
		return err
	})
	if err != nil {
		return directory.Change{}, nil, time.Time{}, 0, err
	}
	return c, cursors, asOf, seq, nil
}

func loadCursors(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	type named struct{ name, cursor string }
	all, err := queryAll(ctx, tx, func(scan func(...any) error) (n named, err error) {
		err = scan(&n.name, &n.cursor)
		return n, err
	}, `SELECT name, cursor FROM directory_cursors`)
	cursors := make(map[string]string, len(all))
	for _, n := range all {
		cursors[n.name] = n.cursor
	}
	return cursors, err
}

func scanUser(scan func(...any) error) (u directory.User, err error) {
	var from int64
	err = scan(&u.ID.Tenant, &u.ID.Object, &u.Name, &u.UserName, &u.Mail, &u.Enabled, &from)
	u.SignInsFrom = fromMicro(from)
	return u, err
}

func scanBlock(scan func(...any) error) (b directory.Block, err error) {
	err = scan(&b.User.Tenant, &b.User.Object)
	return b, err
}

func scanGroup(scan func(...any) error) (g directory.Group, err error) {
	err = scan(&g.ID.Tenant, &g.ID.Object, &g.Name, &g.Security, &g.Assigned)
	return g, err
}

// memberGroup is the member_kind of a group in directory_members.
const memberGroup = 2

func scanMembership(scan func(...any) error) (m directory.Membership, err error) {
	var kind int
	var tenant identity.TenantID
	var object string
	err = scan(&m.Group.Tenant, &m.Group.Object, &kind, &tenant, &object)
	if kind == memberGroup {
		m.Member.Group = identity.GroupID{Tenant: tenant, Object: object}
	} else {
		m.Member.User = identity.UserID{Tenant: tenant, Object: object}
	}
	return m, err
}
