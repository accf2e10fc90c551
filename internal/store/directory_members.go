package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

var directorySets = table{name: "directory_sets", key: []string{"tenant", "object", "part"}, columns: []string{"tenant", "object", "part", "members"}}

// setRow is a part of what a group contains.
type setRow struct {
	group   identity.GroupID
	part    int64
	members []byte
}

func scanSet(scan func(...any) error) (r setRow, err error) {
	err = scan(&r.group.Tenant, &r.group.Object, &r.part, &r.members)
	return r, err
}

// writeMembers applies memberships; of several about the same pair the last one holds. Groups come in the order of their
// keys, since trees of keys are quickest to fill from one side.
func writeMembers(ctx context.Context, tx *sql.Tx, members []directory.Membership) error {
	changes := map[identity.GroupID]map[directory.Member]bool{} // whether it is a member
	for _, m := range members {
		of := changes[m.Group]
		if of == nil {
			of = map[directory.Member]bool{}
			changes[m.Group] = of
		}
		of[m.Member] = !m.Removed
	}
	groups := make([]identity.GroupID, 0, len(changes))
	for g := range changes {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b identity.GroupID) int {
		return strings.Compare(string(a.Tenant)+"/"+a.Object, string(b.Tenant)+"/"+b.Object)
	})
	levels, err := setLevels(ctx, tx, groups)
	if err != nil {
		return err
	}
	w := setWriter{tx: tx, unpack: newUnpacker()}
	for _, g := range groups {
		level, there := levels[g]
		if !there {
			err = w.whole(g, changes[g])
		} else {
			err = w.change(ctx, g, level, changes[g])
		}
		if err != nil {
			return err
		}
		if len(w.rows) >= 1000 {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return w.flush(ctx)
}

// setLevels are the levels of the groups that have members.
func setLevels(ctx context.Context, tx *sql.Tx, groups []identity.GroupID) (map[identity.GroupID]int, error) {
	levels := map[identity.GroupID]int{}
	keys := make([][2]string, len(groups))
	for i, g := range groups {
		keys[i] = [2]string{string(g.Tenant), g.Object}
	}
	for chunk := range slices.Chunk(keys, 64) {
		args := make([]any, 0, 2*len(chunk))
		for _, k := range chunk {
			args = append(args, k[0], k[1])
		}
		rows, err := queryAll(ctx, tx, func(scan func(...any) error) (r setRow, err error) {
			err = scan(&r.group.Tenant, &r.group.Object, &r.part)
			return r, err
		}, `SELECT tenant, object, MAX(part) FROM directory_sets WHERE (tenant, object) IN (VALUES `+placeholders(len(chunk), 2)+`) GROUP BY tenant, object`, args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			levels[r.group] = levelOf(r.part)
		}
	}
	return levels, nil
}

// setWriter gathers the rows that are to be written.
type setWriter struct {
	tx     *sql.Tx
	unpack *unpacker
	rows   [][]any
}

func (w *setWriter) flush(ctx context.Context) error {
	rows := w.rows
	w.rows = nil
	return upsertMany(ctx, w.tx, directorySets, rows)
}

// whole writes a group that has no rows.
func (w *setWriter) whole(g identity.GroupID, members map[directory.Member]bool) error {
	n := 0
	for _, is := range members {
		if is {
			n++
		}
	}
	level := levelFor(n)
	parts := map[int64]map[directory.Member]bool{}
	for m, is := range members {
		if !is {
			continue
		}
		part := partOf(m, level)
		if parts[part] == nil {
			parts[part] = make(map[directory.Member]bool, partHolds)
		}
		parts[part][m] = true
	}
	for part, of := range parts {
		w.rows = append(w.rows, []any{string(g.Tenant), g.Object, part, pack(g, of)})
	}
	return nil
}

// change alters the parts that a change of a group is in.
func (w *setWriter) change(ctx context.Context, g identity.GroupID, level int, changes map[directory.Member]bool) error {
	parts := map[int64][]directory.Member{}
	for m := range changes {
		part := partOf(m, level)
		parts[part] = append(parts[part], m)
	}
	for part, of := range parts {
		var packed []byte
		err := w.tx.QueryRowContext(ctx, `SELECT members FROM directory_sets WHERE tenant = $1 AND object = $2 AND part = $3`,
			string(g.Tenant), g.Object, part).Scan(&packed)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
		set := map[directory.Member]bool{}
		if err := w.unpack.each(g, packed, func(m directory.Member) { set[m] = true }); err != nil {
			return err
		}
		for _, m := range of {
			if changes[m] {
				set[m] = true
			} else {
				delete(set, m)
			}
		}
		if len(set) > partAtMost {
			return w.divide(ctx, g, changes)
		}
		w.rows = append(w.rows, []any{string(g.Tenant), g.Object, part, pack(g, set)})
	}
	return nil
}

// divide writes a group that has grown into more parts.
func (w *setWriter) divide(ctx context.Context, g identity.GroupID, changes map[directory.Member]bool) error {
	if err := w.flush(ctx); err != nil { // parts of it may be among them
		return err
	}
	rows, err := queryAll(ctx, w.tx, scanSet, `SELECT tenant, object, part, members FROM directory_sets WHERE tenant = $1 AND object = $2`, string(g.Tenant), g.Object)
	if err != nil {
		return err
	}
	all := map[directory.Member]bool{}
	for _, r := range rows {
		if err := w.unpack.each(g, r.members, func(m directory.Member) { all[m] = true }); err != nil {
			return err
		}
	}
	for m, is := range changes {
		all[m] = is
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE FROM directory_sets WHERE tenant = $1 AND object = $2`, string(g.Tenant), g.Object); err != nil {
		return err
	}
	return w.whole(g, all)
}

// memberships are what sets hold.
func memberships(rows []setRow) ([]directory.Membership, error) {
	u, total := newUnpacker(), 0
	for _, r := range rows {
		total += len(r.members) / 17
	}
	all := make([]directory.Membership, 0, total)
	for _, r := range rows {
		group := r.group
		if id, guid := packedID(group.Object); guid {
			group.Object = u.guid([16]byte(id))
		}
		if err := u.each(group, r.members, func(m directory.Member) { all = append(all, directory.Membership{Group: group, Member: m}) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// adoptMembers packs the memberships of a database, or a backup, that has a row for each.
func (s *Store) adoptMembers(ctx context.Context) error {
	var one int
	err := s.write.QueryRowContext(ctx, `SELECT 1 FROM directory_members LIMIT 1`).Scan(&one)
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	return s.inTx(ctx, "pack the memberships", func(tx *sql.Tx) error {
		if err := lockDirectory(ctx, tx, fromMicro(0)); err != nil {
			return err
		}
		rows, err := queryAll(ctx, tx, scanMembership, `SELECT group_tenant, group_object, member_kind, member_tenant, member_object FROM directory_members`)
		if err != nil {
			return err
		}
		if err := writeMembers(ctx, tx, rows); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM directory_members`)
		return err
	})
}
