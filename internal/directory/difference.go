package directory

import "github.com/lanyardhq/lanyard/internal/identity"

// difference is the change that makes old into new, its age included. For two versions of one directory it costs
// what changed, not what there is.
func difference(old, new *Snapshot) Change {
	var c Change
	compare(old.users, new.users, func(id identity.UserID, was, is **person) {
		switch {
		case is == nil:
			c.GoneUsers = append(c.GoneUsers, id)
		case was == nil || !sameRecord((*was).User, (*is).User):
			c.Users = append(c.Users, (*is).User)
		}
	})
	compare(old.groups, new.groups, func(id identity.GroupID, was, is **Group) {
		switch {
		case is == nil:
			c.GoneGroups = append(c.GoneGroups, id)
		case was == nil || **was != **is:
			c.Groups = append(c.Groups, **is)
		}
	})
	compare(old.members, new.members, func(g identity.GroupID, was, is *memberSet) {
		var before, after memberSet
		if was != nil {
			before = *was
		}
		if is != nil {
			after = *is
		}
		compare(before, after, func(m memberHandle, had, has *struct{}) {
			if (had == nil) != (has == nil) {
				c.Members = append(c.Members, Membership{Group: g, Member: m.Value(), Removed: has == nil})
			}
		})
	})
	compare(old.blocked, new.blocked, func(u identity.UserID, was, is *struct{}) {
		if (was == nil) != (is == nil) {
			c.Blocks = append(c.Blocks, Block{User: u, Removed: is == nil})
		}
	})
	if !new.asOf.Equal(old.asOf) {
		c.AsOf = new.asOf
	}
	return c
}

// sameRecord compares what the source of the records says.
func sameRecord(a, b User) bool {
	b.Blocked = a.Blocked
	return a == b
}

// taking is the part of a change that takes access away from who has it in s: it can be applied at once, before
// the rest, and gives nobody anything.
func taking(s *Snapshot, c Change) Change {
	t := Change{GoneUsers: c.GoneUsers, GoneGroups: c.GoneGroups}
	for _, u := range c.Users {
		old, known := s.User(u.ID)
		if known && (old.Enabled && !u.Enabled || u.SignInsFrom.After(old.SignInsFrom)) {
			u.Enabled = u.Enabled && old.Enabled
			if old.SignInsFrom.After(u.SignInsFrom) {
				u.SignInsFrom = old.SignInsFrom
			}
			t.Users = append(t.Users, u)
		}
	}
	for _, b := range c.Blocks {
		if !b.Removed {
			t.Blocks = append(t.Blocks, b)
		}
	}
	for _, g := range c.Groups {
		old, known := s.Group(g.ID)
		if !known {
			continue
		}
		// Until it is stored, a renamed group answers to neither name.
		g.Assigned = g.Assigned && old.Assigned && g.Name == old.Name
		g.Security = g.Security && old.Security
		if g != *old && (old.Assigned && !g.Assigned || old.Security && !g.Security) {
			t.Groups = append(t.Groups, g)
		}
	}
	for _, m := range c.Members {
		if m.Removed {
			t.Members = append(t.Members, m)
		}
	}
	return t
}
