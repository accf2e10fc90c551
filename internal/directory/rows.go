package directory

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// User is a person of the directory.
type User struct {
	ID       identity.UserID
	Name     string // display name
	UserName string // user principal name: for show and for finding, never a key
	Mail     string
	Enabled  bool
}

// Group is a group of the directory.
type Group struct {
	ID       identity.GroupID
	Name     string
	Security bool // a security group; others (Microsoft 365 groups) never give rights by name
	Assigned bool // assigned to Lanyard's enterprise application: only then may a configuration name it
}

// Member is what a group contains directly: exactly one of the two is set.
type Member struct {
	User  identity.UserID
	Group identity.GroupID
}

// Membership is one direct membership, given or taken.
type Membership struct {
	Group   identity.GroupID
	Member  Member
	Removed bool
}

// Change is a set of changes that take effect together. Applying it twice gives the same as applying it once.
type Change struct {
	// Reset makes the change the whole directory: what it does not name is gone.
	Reset      bool
	Users      []User  // added or changed, whole records
	Groups     []Group // likewise
	GoneUsers  []identity.UserID
	GoneGroups []identity.GroupID
	Members    []Membership
	// Cursors are where the source goes on reading, by the source's own names; they are stored with the
	// change or not at all.
	Cursors map[string]string
	// AsOf is when the source said so; zero leaves the directory's age as it is.
	AsOf time.Time
}
