package directory

import (
	"hash/maphash"
	"slices"
	"unique"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Closure is every group that a user is in, directly or through other groups. It is small, since everybody who is
// signed in has one: the index holds positions, not groups.
type Closure struct {
	groups []identity.GroupID // nearest first, each level sorted
	via    []int32            // the position of the group it was reached through; -1 for a direct one
	index  []int32            // by hash, with the next free place after it: a position and 1; 0 is free. Its length is a power of two
}

// place is where a group's position is looked for first. Its object ID is enough for that, and quick.
func place(g identity.GroupID) uint64 { return maphash.String(seed, g.Object) }

// position finds a group; -1 when it is not among them.
func (c *Closure) position(g identity.GroupID) int {
	if len(c.index) == 0 {
		return -1
	}
	mask := uint64(len(c.index) - 1)
	for at := place(g) & mask; c.index[at] != 0; at = (at + 1) & mask {
		if i := int(c.index[at]) - 1; c.groups[i] == g {
			return i
		}
	}
	return -1
}

// add appends a group that is not among them.
func (c *Closure) add(g identity.GroupID, via int) {
	c.groups = append(c.groups, g)
	c.via = append(c.via, int32(via))
	if len(c.groups)*3 <= len(c.index)*2 {
		c.put(len(c.groups) - 1)
		return
	}
	c.index = make([]int32, max(16, 2*len(c.index)))
	for i := range c.groups {
		c.put(i)
	}
}

func (c *Closure) put(i int) {
	mask := uint64(len(c.index) - 1)
	at := place(c.groups[i]) & mask
	for c.index[at] != 0 {
		at = (at + 1) & mask
	}
	c.index[at] = int32(i) + 1
}

// Groups lists every group the user is in, direct ones first. It is empty for who is not in the directory; that
// a user is disabled makes no difference here. The caller must not change the list.
func (s *Snapshot) Groups(u identity.UserID) []identity.GroupID { return s.Closure(u).groups }

// InGroup reports whether the user is in the group, directly or through other groups.
func (s *Snapshot) InGroup(u identity.UserID, g identity.GroupID) bool {
	return s.Closure(u).Has(g)
}

// Has reports whether the group is among them.
func (c *Closure) Has(g identity.GroupID) bool {
	return c.position(g) >= 0
}

// Path is a shortest chain of groups by which the user is in g, from a direct group to g itself; nil when the
// user is not in g.
func (s *Snapshot) Path(u identity.UserID, g identity.GroupID) []identity.GroupID {
	c := s.Closure(u)
	i := c.position(g)
	if i < 0 {
		return nil
	}
	var path []identity.GroupID
	for ; i >= 0; i = int(c.via[i]) {
		path = append(path, c.groups[i])
	}
	slices.Reverse(path)
	return path
}

// Closure is found when it is first asked for, and kept with the user's record. It is empty for who is not in the
// directory.
func (s *Snapshot) Closure(u identity.UserID) *Closure {
	p, ok := s.users.get(u)
	if !ok {
		return &Closure{}
	}
	if c := p.closure.Load(); c != nil {
		return c
	}
	p.closure.CompareAndSwap(nil, s.climb(u)) // every snapshot that has this record finds the same
	return p.closure.Load()
}

// climb walks breadth first, so that circles end and the first way found is a shortest one.
func (s *Snapshot) climb(u identity.UserID) *Closure {
	c := &Closure{}
	reach := func(from Member, via int) {
		parents, _ := s.parents.get(unique.Make(from))
		nested := via >= 0 && c.via[via] >= 0
		for _, h := range parents {
			g := h.Value()
			if _, role := g.AppRole(); role && nested { // an app role of a group is its immediate members'
				continue
			}
			if c.position(g) < 0 && s.groups.has(g) {
				c.add(g, via)
			}
		}
	}
	direct, _ := s.parents.get(unique.Make(Member{User: u}))
	c.groups, c.via = make([]identity.GroupID, 0, len(direct)+len(direct)/2), make([]int32, 0, len(direct)+len(direct)/2)
	reach(Member{User: u}, -1)
	for i := 0; i < len(c.groups); i++ {
		reach(Member{Group: c.groups[i]}, i)
	}
	return c
}

// below adds to users everyone who is in one of the groups, directly or through other groups, whether those are
// in the directory or not.
func (s *Snapshot) below(groups map[identity.GroupID]struct{}, users map[identity.UserID]struct{}) {
	seen := make(map[identity.GroupID]struct{}, len(groups))
	todo := make([]identity.GroupID, 0, len(groups))
	for g := range groups {
		seen[g] = struct{}{}
		todo = append(todo, g)
	}
	for len(todo) > 0 {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for m := range s.Members(g) {
			if !m.User.IsZero() {
				users[m.User] = struct{}{}
			} else if _, again := seen[m.Group]; !again {
				seen[m.Group] = struct{}{}
				todo = append(todo, m.Group)
			}
		}
	}
}
