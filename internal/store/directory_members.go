package store

import (
	"cmp"
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
	changes := map[identity.GroupID][]word{}
	for _, m := range members {
		changes[m.Group] = append(changes[m.Group], word{m.Member, m.Removed})
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	packed := make(chan [][]any, 64) // of the groups that are new, in order, while others are written
	go func() {
		for _, g := range groups {
			if _, there := levels[g]; there {
				continue
			}
			select {
			case packed <- wholeRows(g, standing(changes[g])):
			case <-ctx.Done():
				return
			}
		}
	}()
	w := setWriter{tx: tx, unpack: newUnpacker()}
	for _, g := range groups {
		if level, there := levels[g]; !there {
			select {
			case rows := <-packed:
				w.rows = append(w.rows, rows...)
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if err := w.change(ctx, g, level, changes[g]); err != nil {
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

// word is what a change says of somebody in a group.
type word struct {
	directory.Member
	removed bool
}

// standing are the members that words leave in a group that has none, sorted.
func standing(words []word) []directory.Member {
	list := make([]directory.Member, 0, len(words))
	if slices.ContainsFunc(words, func(w word) bool { return w.removed }) {
		last := map[directory.Member]bool{}
		for _, w := range words {
			last[w.Member] = !w.removed
		}
		return sortedMembers(last)
	}
	for _, w := range words {
		list = append(list, w.Member)
	}
	slices.SortFunc(list, compareMembers)
	return slices.Compact(list)
}

// sortedMembers lists those that are.
func sortedMembers(set map[directory.Member]bool) []directory.Member {
	list := make([]directory.Member, 0, len(set))
	for m, is := range set {
		if is {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, compareMembers)
	return list
}

func compareMembers(a, b directory.Member) int {
	return cmp.Or(strings.Compare(a.User.Object+a.Group.Object, b.User.Object+b.Group.Object), // one of both is empty
		strings.Compare(string(a.User.Tenant+a.Group.Tenant), string(b.User.Tenant+b.Group.Tenant)), strings.Compare(a.User.Object, b.User.Object))
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

// wholeRows are the rows of a group that has none, whose members are sorted.
func wholeRows(g identity.GroupID, members []directory.Member) (rows [][]any) {
	level := levelFor(len(members))
	parts := map[int64][]directory.Member{}
	for _, m := range members {
		part := partOf(m, level)
		parts[part] = append(parts[part], m)
	}
	for part, of := range parts {
		rows = append(rows, []any{string(g.Tenant), g.Object, part, pack(g, of)})
	}
	return rows
}

// change alters the parts that a change of a group is in.
func (w *setWriter) change(ctx context.Context, g identity.GroupID, level int, words []word) error {
	parts := map[int64][]word{}
	for _, m := range words {
		part := partOf(m.Member, level)
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
			if m.removed {
				delete(set, m.Member)
			} else {
				set[m.Member] = true
			}
		}
		if len(set) > partAtMost {
			return w.divide(ctx, g, words)
		}
		w.rows = append(w.rows, []any{string(g.Tenant), g.Object, part, pack(g, sortedMembers(set))})
	}
	return nil
}

// divide writes a group that has grown into more parts.
func (w *setWriter) divide(ctx context.Context, g identity.GroupID, words []word) error {
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
	for _, m := range words {
		all[m.Member] = !m.removed
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE FROM directory_sets WHERE tenant = $1 AND object = $2`, string(g.Tenant), g.Object); err != nil {
		return err
	}
	w.rows = append(w.rows, wholeRows(g, sortedMembers(all))...)
	return nil
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
		if id, guid := guidOf(group.Object); guid {
			group.Object = u.guid(id)
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
