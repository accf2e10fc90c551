package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
)

func scimResource(ctx context.Context, q querier, kind provision.Kind, id string) (provision.Row, bool, error) {
	row, err := scanSCIM(q.QueryRowContext(ctx, `SELECT `+scimColumns+` FROM scim_resources r WHERE r.id = $1 AND r.kind = $2`, id, string(kind)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return provision.Row{}, false, nil
	}
	return row, err == nil, err
}

// SCIMResource implements provision.Rows.
func (s *Store) SCIMResource(ctx context.Context, kind provision.Kind, id string) (provision.Row, bool, error) {
	row, found, err := scimResource(ctx, s.read, kind, id)
	return row, found, failed(err, "read what is provisioned")
}

// scimWhere is the condition that rows of a kind match.
func scimWhere(kind provision.Kind, by []provision.Match) (string, []any) {
	parts, args := []string{"r.kind = $1"}, []any{string(kind)}
	for _, m := range by {
		args = append(args, m.Value)
		switch m.Column {
		case provision.ByMember:
			parts = append(parts, fmt.Sprintf(`r.id IN (SELECT group_id FROM scim_members WHERE member_id = $%d)`, len(args)))
		case provision.ByMail:
			parts = append(parts, fmt.Sprintf(`r.id IN (SELECT id FROM scim_mails WHERE mail_key = $%d)`, len(args)))
		default:
			parts = append(parts, fmt.Sprintf("r.%s = $%d", m.Column, len(args)))
		}
	}
	return strings.Join(parts, " AND "), args
}

// ListSCIM implements provision.Rows.
func (s *Store) ListSCIM(ctx context.Context, kind provision.Kind, by []provision.Match, offset, limit int) (rows []provision.Row, total int, err error) {
	where, args := scimWhere(kind, by)
	err = s.inSnapshot(ctx, "list what is provisioned", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM scim_resources r WHERE `+where, args...).Scan(&total); err != nil {
			return err
		}
		if limit == 0 || offset >= total {
			return nil
		}
		page := fmt.Sprintf(` ORDER BY r.id LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2)
		rows, err = queryAll(ctx, tx, scanSCIM, `SELECT `+scimColumns+` FROM scim_resources r WHERE `+where+page, append(args, limit, offset)...)
		return err
	})
	return rows, total, err
}

// EachSCIM implements provision.Rows.
func (s *Store) EachSCIM(ctx context.Context, kind provision.Kind, by []provision.Match, f func(provision.Row) error) error {
	where, args := scimWhere(kind, by)
	rows, err := s.read.QueryContext(ctx, `SELECT `+scimColumns+` FROM scim_resources r WHERE `+where+` ORDER BY r.id`, args...)
	if err != nil {
		return failed(err, "list what is provisioned")
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scanSCIM(rows.Scan)
		if err != nil {
			return failed(err, "list what is provisioned")
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return failed(rows.Err(), "list what is provisioned")
}

// SCIMMembers implements provision.Rows.
func (s *Store) SCIMMembers(ctx context.Context, groups []string) (all []provision.Member, err error) {
	err = inChunks(groups, func(in string, args []any) error {
		some, err := queryAll(ctx, s.read, func(scan func(...any) error) (m provision.Member, err error) {
			err = scan(&m.Group, &m.ID, &m.Kind, &m.Display)
			return m, err
		}, `SELECT m.group_id, m.member_id, r.kind, CASE WHEN r.display = '' THEN r.name ELSE r.display END
			FROM scim_members m JOIN scim_resources r ON r.id = m.member_id WHERE m.group_id IN `+in+` ORDER BY m.group_id, m.member_id`, args...)
		all = append(all, some...)
		return err
	})
	return all, failed(err, "read the members of groups")
}

// SCIMCounts implements provision.Rows.
func (s *Store) SCIMCounts(ctx context.Context) (c provision.Counts, err error) {
	err = s.inSnapshot(ctx, "count what is provisioned", func(tx *sql.Tx) error {
		for query, to := range map[string]*int64{
			`SELECT COUNT(*) FROM scim_resources WHERE kind = 'User'`:                  &c.Users,
			`SELECT COUNT(*) FROM scim_resources WHERE kind = 'User' AND NOT active`:   &c.Inactive,
			`SELECT COUNT(*) FROM scim_resources WHERE kind = 'Group'`:                 &c.Groups,
			`SELECT COUNT(*) FROM scim_resources WHERE kind = 'User' AND object = ''`:  &c.Stray,
			`SELECT COUNT(*) FROM scim_resources WHERE kind = 'Group' AND object = ''`: &c.StrayGroups,
			`SELECT COUNT(*) FROM scim_members`:                                        &c.Members,
			`SELECT COUNT(*) FROM scim_gone`:                                           &c.Gone,
		} {
			if err := tx.QueryRowContext(ctx, query).Scan(to); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}
