package cases

import (
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// world is the facts of one case: what its file says, and nothing more.
type world struct {
	file *File
	of   *Case
}

var _ policy.Facts = world{}

func (w world) user(id identity.UserID) *user {
	for _, u := range w.file.users {
		if u.id == id {
			return u
		}
	}
	return &user{}
}

// InGroup implements policy.Facts.
func (w world) InGroup(u identity.UserID, g identity.GroupID) bool { return w.user(u).groups[g] }

// Groups implements policy.Facts.
func (w world) Groups(u identity.UserID) []identity.GroupID {
	return slices.Collect(maps.Keys(w.user(u).groups))
}

// ProjectRole implements policy.Facts.
func (w world) ProjectRole(u identity.UserID, p identity.ProjectID) policy.Role {
	return w.user(u).roles[p]
}

// GlobalRole implements policy.Facts.
func (w world) GlobalRole(u identity.UserID, r policy.Role) bool { return w.user(u).global[r] }

// ProjectName implements policy.Facts.
func (w world) ProjectName(id identity.ProjectID) string {
	for name, one := range w.file.projects {
		if one == id {
			return name
		}
	}
	return ""
}

// Sensitive implements policy.Facts.
func (w world) Sensitive(identity.Resource) string { return w.of.needs }

// Approved implements policy.Facts.
func (w world) Approved(_ identity.UserID, _ identity.Action, _ identity.Resource, by identity.GroupID) (time.Time, bool) {
	until, ok := w.of.approved[by]
	return until, ok && w.of.now.Before(until)
}
