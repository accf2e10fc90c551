package directory

import (
	"slices"
	"unique"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Touched names the users whose access may be different after a change: those who were enabled, disabled, added
// or removed, those whose groups changed, and those in a group that changed. Others may be named too, never fewer.
type Touched struct {
	All   bool
	Users []identity.UserID
}

// None reports that nobody is touched.
func (t Touched) None() bool { return !t.All && len(t.Users) == 0 }

// With returns the directory after a change, and whom it touches. Within a change memberships come after
// records, the last word about each counts, and what is gone comes last and takes its memberships along. To a reset
// all users and groups of before are gone that it does not name.
func (s *Snapshot) With(c Change) (next *Snapshot, touched Touched) {
	next, touched, _ = s.apply(c)
	return next, touched
}

// apply also returns what of the change made a difference, never as a reset; cursors are not part of that.
func (s *Snapshot) apply(c Change) (*Snapshot, Touched, Change) {
	if c.Reset != 0 {
		c = s.withoutReset(c)
	}
	c = c.settled()
	next := *s
	e := editor{Snapshot: &next, by: &edit{}, users: map[identity.UserID]struct{}{}, groups: map[identity.GroupID]struct{}{}}
	for _, u := range c.Users {
		e.setUser(u)
	}
	for _, g := range c.Groups {
		e.setGroup(g)
	}
	filled := e.fills(c.Members)
	if filled {
		e.fill(c.Members)
	} else {
		for _, m := range c.Members {
			e.setMembership(m)
		}
	}
	for _, b := range c.Blocks {
		e.setBlock(b)
	}
	for _, u := range c.GoneUsers {
		e.dropUser(u)
	}
	for _, g := range c.GoneGroups {
		e.dropGroup(g)
	}
	if !c.AsOf.IsZero() {
		next.asOf = c.AsOf
		e.effect.AsOf = c.AsOf
	}
	if filled {
		for id, p := range next.users.all() {
			next.users.set(e.by, id, &person{User: p.User})
		}
		return &next, Touched{All: true}, e.effect
	}
	s.below(e.groups, e.users)
	next.below(e.groups, e.users)
	touched := Touched{Users: make([]identity.UserID, 0, len(e.users))}
	for u := range e.users {
		touched.Users = append(touched.Users, u)
		if p, ok := next.users.get(u); ok { // what was derived from the groups of before ends with the old record
			next.users.set(e.by, u, &person{User: p.User})
		}
	}
	return &next, touched, e.effect
}

// withoutReset is the change that makes s what a reset says of some parts.
func (s *Snapshot) withoutReset(c Change) Change {
	parts := c.Reset
	c.Reset = 0
	there := 0
	for part, size := range map[Part]int{UserPart: s.users.size, GroupPart: s.groups.size + s.members.size, BlockPart: s.blocked.size} {
		if parts&part != 0 {
			there += size
		}
	}
	if there == 0 {
		return c
	}
	whole, _, _ := Empty().apply(c)
	d := difference(s, whole)
	d.AsOf, d.Cursors = c.AsOf, c.Cursors
	d.GoneUsers, d.GoneGroups = append(d.GoneUsers, c.GoneUsers...), append(d.GoneGroups, c.GoneGroups...) // with what hangs on whom we have not
	if parts&UserPart == 0 {
		d.Users, d.GoneUsers = c.Users, c.GoneUsers
	}
	if parts&GroupPart == 0 {
		d.Groups, d.GoneGroups, d.Members = c.Groups, c.GoneGroups, c.Members
	}
	if parts&BlockPart == 0 {
		d.Blocks = c.Blocks
	}
	return d
}

// settled is the change with one last word about each user, group and membership, and none about what is gone.
func (c Change) settled() Change {
	users, groups := setOf(c.GoneUsers), setOf(c.GoneGroups)
	c.Users = lastWords(c.Users, func(u User) (identity.UserID, bool) { return u.ID, !users[u.ID] })
	c.Groups = lastWords(c.Groups, func(g Group) (identity.GroupID, bool) { return g.ID, !groups[g.ID] })
	// Where nothing is taken a repeated membership makes no difference, and a whole organisation has a million.
	if len(users)+len(groups) > 0 || slices.ContainsFunc(c.Members, func(m Membership) bool { return m.Removed }) {
		c.Members = lastWords(c.Members, func(m Membership) (Membership, bool) {
			m.Removed = false
			return m, !users[m.Member.User] && !groups[m.Member.Group] && !groups[m.Group]
		})
	}
	c.Blocks = lastWords(c.Blocks, func(b Block) (identity.UserID, bool) { return b.User, true })
	return c
}

func setOf[K comparable](list []K) map[K]bool {
	if len(list) == 0 {
		return nil
	}
	set := make(map[K]bool, len(list))
	for _, k := range list {
		set[k] = true
	}
	return set
}

// lastWords keeps the last of several entries with the same key, and drops those that are not wanted.
func lastWords[E any, K comparable](all []E, key func(E) (_ K, wanted bool)) []E {
	at := make(map[K]int, len(all))
	kept := make([]E, 0, len(all))
	for _, e := range all {
		k, wanted := key(e)
		if i, again := at[k]; again {
			kept[i] = e
		} else if wanted {
			at[k] = len(kept)
			kept = append(kept, e)
		}
	}
	return kept
}

// editor changes a fresh copy of a snapshot and notes what made a difference, and to whom.
type editor struct {
	*Snapshot
	by     *edit
	users  map[identity.UserID]struct{}  // touched themselves
	groups map[identity.GroupID]struct{} // everyone below is touched
	effect Change
}

func (e *editor) setUser(u User) {
	old, known := e.Snapshot.users.get(u.ID)
	u.Blocked = e.blocked.has(u.ID)
	if known && old.User == u {
		return
	}
	e.Snapshot.users.set(e.by, u.ID, &person{User: u})
	e.effect.Users = append(e.effect.Users, u)
	if !known || old.Enabled != u.Enabled || old.SignInsFrom != u.SignInsFrom {
		e.users[u.ID] = struct{}{}
	}
}

func (e *editor) setBlock(b Block) {
	if e.blocked.has(b.User) != b.Removed {
		return
	}
	store(&e.blocked, e.by, b.User, struct{}{}, b.Removed)
	e.effect.Blocks = append(e.effect.Blocks, b)
	e.users[b.User] = struct{}{}
	if old, known := e.Snapshot.users.get(b.User); known {
		u := old.User
		u.Blocked = !b.Removed
		e.Snapshot.users.set(e.by, u.ID, &person{User: u})
	}
}

func (e *editor) setGroup(g Group) {
	old, known := e.Snapshot.groups.get(g.ID)
	if known && *old == g {
		return
	}
	e.Snapshot.groups.set(e.by, g.ID, &g)
	e.effect.Groups = append(e.effect.Groups, g)
	e.groups[g.ID] = struct{}{}
}

func (e *editor) setMembership(m Membership) {
	set, _ := e.members.get(m.Group)
	member := unique.Make(m.Member)
	if set.has(member) != m.Removed {
		return
	}
	parents, _ := e.parents.get(member)
	i, _ := slices.BinarySearchFunc(parents, m.Group, compareHandles)
	if m.Removed {
		set.delete(e.by, member)
		parents = slices.Concat(parents[:i], parents[i+1:])
	} else {
		set.set(e.by, member, struct{}{})
		parents = slices.Concat(parents[:i], []groupHandle{unique.Make(m.Group)}, parents[i:])
	}
	store(&e.members, e.by, m.Group, set, set.size == 0)
	store(&e.parents, e.by, member, parents, len(parents) == 0)
	e.effect.Members = append(e.effect.Members, m)
	if m.Member.User.IsZero() {
		e.groups[m.Member.Group] = struct{}{}
	} else {
		e.users[m.Member.User] = struct{}{}
	}
}

func store[K comparable, V any](t *trie[K, V], by *edit, k K, v V, empty bool) {
	if empty {
		t.delete(by, k)
	} else {
		t.set(by, k, v)
	}
}

func (e *editor) dropUser(id identity.UserID) {
	e.leaveAll(Member{User: id})
	if e.Snapshot.users.has(id) {
		e.Snapshot.users.delete(e.by, id)
		e.effect.GoneUsers = append(e.effect.GoneUsers, id)
		e.users[id] = struct{}{}
	}
}

func (e *editor) dropGroup(id identity.GroupID) {
	e.leaveAll(Member{Group: id})
	for _, m := range slices.Collect(e.Members(id)) { // collected first: the set changes under the loop
		e.setMembership(Membership{Group: id, Member: m, Removed: true})
	}
	if e.Snapshot.groups.has(id) {
		e.Snapshot.groups.delete(e.by, id)
		e.effect.GoneGroups = append(e.effect.GoneGroups, id)
		e.groups[id] = struct{}{}
	}
}

func (e *editor) leaveAll(m Member) {
	parents, _ := e.parents.get(unique.Make(m))
	for _, g := range parents {
		e.setMembership(Membership{Group: g.Value(), Member: m, Removed: true})
	}
}

// empty reports that the change alters nothing but the directory's age and cursors.
func (c Change) empty() bool { return c.Reset == 0 && c.size() == 0 }

func (c Change) size() int {
	return len(c.Users) + len(c.Groups) + len(c.GoneUsers) + len(c.GoneGroups) + len(c.Members) + len(c.Blocks)
}
