package directory

import "github.com/lanyardhq/lanyard/internal/identity"

// Direct lists the groups that contain a user or a group directly, sorted. The caller must not change the list.
func (s *Snapshot) Direct(m Member) []identity.GroupID {
	return s.DirectlyIn(m)
}
