package directory

import (
	"iter"
	"maps"
	"strings"
	"unique"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// FindGroup finds the one group that a person at a command line means: by object ID, or by a display name that no other
// group has. It is for asking about it, never for deciding.
func (s *Snapshot) FindGroup(name string) (*Group, bool) {
	var found *Group
	twice := false
	for g := range s.AllGroups() {
		switch {
		case g.ID.Object == name:
			return g, true
		case name != "" && strings.EqualFold(g.Name, name):
			twice = twice || found != nil
			found = g
		}
	}
	return found, found != nil && !twice
}

// Below yields everyone who is in a group, directly or through other groups.
func (s *Snapshot) Below(g identity.GroupID) iter.Seq[identity.UserID] {
	users := map[identity.UserID]struct{}{}
	s.below(map[identity.GroupID]struct{}{g: {}}, users)
	return maps.Keys(users)
}

// DirectlyIn lists the groups that have m as a direct member, by ID, whether they are in the directory or not.
func (s *Snapshot) DirectlyIn(m Member) []identity.GroupID {
	handles, _ := s.parents.get(unique.Make(m))
	groups := make([]identity.GroupID, len(handles))
	for i, g := range handles {
		groups[i] = g.Value()
	}
	return groups
}

// Memberships counts the direct ones.
func (s *Snapshot) Memberships() (n int) {
	for _, set := range s.members.all() {
		n += set.size
	}
	return n
}

// SameGroups reports that no group's record differs, and that both were read, or neither.
func (s *Snapshot) SameGroups(other *Snapshot) bool {
	return s.groups.root == other.groups.root && s.asOf.IsZero() == other.asOf.IsZero()
}
