package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// ReadDirectory returns the users and groups with these IDs that there are, and all members of these groups.
func (s *Store) ReadDirectory(ctx context.Context, users []identity.UserID, groups []identity.GroupID) (c directory.Change, err error) {
	userKeys, groupKeys := make([][2]string, len(users)), make([][2]string, len(groups))
	for i, u := range users {
		userKeys[i] = [2]string{string(u.Tenant), u.Object}
	}
	for i, g := range groups {
		groupKeys[i] = [2]string{string(g.Tenant), g.Object}
	}
	err = s.inSnapshot(ctx, "read a part of the directory", func(tx *sql.Tx) error {
		if err := readParts(ctx, tx, &c.Users, scanUser, userKeys,
			`SELECT tenant, object, name, user_name, mail, enabled, sign_ins_from FROM directory_users WHERE (tenant, object)`); err != nil {
			return err
		}
		if err := readParts(ctx, tx, &c.Blocks, scanBlock, userKeys,
			`SELECT tenant, object FROM directory_blocks WHERE (tenant, object)`); err != nil {
			return err
		}
		if err := readParts(ctx, tx, &c.Groups, scanGroup, groupKeys,
			`SELECT tenant, object, name, security, assigned FROM directory_groups WHERE (tenant, object)`); err != nil {
			return err
		}
		var sets []setRow
		if err := readParts(ctx, tx, &sets, scanSet, groupKeys,
			`SELECT tenant, object, part, members FROM directory_sets WHERE (tenant, object)`); err != nil {
			return err
		}
		c.Members, err = memberships(sets)
		return err
	})
	if err != nil {
		return directory.Change{}, err
	}
	return c, nil
}

// readParts appends the rows with these keys; query ends with the columns that they are of.
func readParts[T any](ctx context.Context, tx *sql.Tx, to *[]T, scan func(func(...any) error) (T, error), keys [][2]string, query string) error {
	for chunk := range slices.Chunk(keys, 128) {
		args := make([]any, 0, 2*len(chunk))
		for _, k := range chunk {
			args = append(args, k[0], k[1])
		}
		some, err := queryAll(ctx, tx, scan, query+` IN (VALUES `+placeholders(len(chunk), 2)+`)`, args...)
		if err != nil {
			return err
		}
		*to = append(*to, some...)
	}
	return nil
}
