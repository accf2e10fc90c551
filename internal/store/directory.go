package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// SaveDirectory stores a change of the directory, its cursors and its age. With Reset the tables hold afterwards what
// the change names and nothing else. An entry without topic is not written, and the number is then 0: a change of
// cursors and age alone is nothing to follow.
//
// A whole directory takes seconds to write. Writers of directories wait for each other at the state's row, and the
// feed's head is locked last, so that a revocation does not wait for them.
func (s *Store) SaveDirectory(ctx context.Context, c directory.Change, e feed.Entry, events ...audit.Event) (seq feed.Seq, err error) {
	err = s.inTx(ctx, "save the directory", func(tx *sql.Tx) error {
		if err := lockDirectory(ctx, tx, c.AsOf); err != nil {
			return err
		}
		if c.Reset != 0 {
			if err := clearDirectory(ctx, tx, c.Reset); err != nil {
				return err
			}
		}
		if err := writeDirectory(ctx, tx, c); err != nil {
			return err
		}
		if e.Topic != "" { // age and cursors alone: nothing for others to follow
			if seq, err = s.announce(ctx, tx, e); err != nil {
				return err
			}
		}
		return s.insertEvents(ctx, tx, events)
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

func lockDirectory(ctx context.Context, tx *sql.Tx, asOf time.Time) error {
	query, args := `UPDATE directory_state SET as_of = as_of WHERE id = 1`, []any(nil)
	if !asOf.IsZero() {
		query, args = `UPDATE directory_state SET as_of = $1 WHERE id = 1`, []any{micro(asOf)}
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

func clearDirectory(ctx context.Context, tx *sql.Tx, parts directory.Part) error {
	for _, of := range []struct {
		part  directory.Part
		table string
	}{
		{directory.GroupPart, "directory_sets"}, {directory.GroupPart, "directory_groups"},
		{directory.UserPart, "directory_users"}, {directory.BlockPart, "directory_blocks"},
	} {
		if parts&of.part == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+of.table); err != nil {
			return err
		}
	}
	return nil
}

// writeDirectory applies the change in the order that the snapshot does: records, memberships, then what is gone. A group
// takes its members along; of what else was a member of what, the change names the end.
func writeDirectory(ctx context.Context, tx *sql.Tx, c directory.Change) error {
	if err := upsertMany(ctx, tx, directoryUsers, userRows(c.Users)); err != nil {
		return err
	}
	if err := upsertMany(ctx, tx, directoryGroups, groupRows(c.Groups)); err != nil {
		return err
	}
	if err := writeMembers(ctx, tx, c.Members); err != nil {
		return err
	}
	if err := writeBlocks(ctx, tx, c.Blocks); err != nil {
		return err
	}
	if err := removeGone(ctx, tx, c); err != nil {
		return err
	}
	cursors := make([][]any, 0, len(c.Cursors))
	for name, cursor := range c.Cursors {
		cursors = append(cursors, []any{name, cursor})
	}
	return upsertMany(ctx, tx, directoryCursors, cursors)
}

func removeGone(ctx context.Context, tx *sql.Tx, c directory.Change) error {
	users := make([][]any, 0, len(c.GoneUsers))
	for _, u := range c.GoneUsers {
		users = append(users, []any{string(u.Tenant), u.Object})
	}
	groups := make([][]any, 0, len(c.GoneGroups))
	for _, g := range c.GoneGroups {
		groups = append(groups, []any{string(g.Tenant), g.Object})
	}
	for _, step := range []struct {
		query string
		rows  [][]any
	}{
		{`DELETE FROM directory_users WHERE tenant = $1 AND object = $2`, users},
		{`DELETE FROM directory_sets WHERE tenant = $1 AND object = $2`, groups},
		{`DELETE FROM directory_groups WHERE tenant = $1 AND object = $2`, groups},
	} {
		if err := executeMany(ctx, tx, step.query, step.rows); err != nil {
			return err
		}
	}
	return nil
}

// writeBlocks applies blocks; of several about the same user the last one holds.
func writeBlocks(ctx context.Context, tx *sql.Tx, blocks []directory.Block) error {
	last := make(map[identity.UserID]bool, len(blocks))
	for _, b := range blocks {
		last[b.User] = b.Removed
	}
	var given, taken [][]any
	for u, removed := range last {
		row := []any{string(u.Tenant), u.Object}
		if removed {
			taken = append(taken, row)
		} else {
			given = append(given, row)
		}
	}
	if err := executeMany(ctx, tx, `DELETE FROM directory_blocks WHERE tenant = $1 AND object = $2`, taken); err != nil {
		return err
	}
	return insertMany(ctx, tx, `INSERT INTO directory_blocks (tenant, object)`, `ON CONFLICT DO NOTHING`, given)
}

func userRows(users []directory.User) [][]any {
	rows := make([][]any, 0, len(users))
	for _, u := range users {
		rows = append(rows, []any{string(u.ID.Tenant), u.ID.Object, displayable(u.Name), displayable(u.UserName), displayable(u.Mail), u.Enabled, micro(u.SignInsFrom)})
	}
	return rows
}

func groupRows(groups []directory.Group) [][]any {
	rows := make([][]any, 0, len(groups))
	for _, g := range groups {
		rows = append(rows, []any{string(g.ID.Tenant), g.ID.Object, displayable(g.Name), g.Security, g.Assigned})
	}
	return rows
}
