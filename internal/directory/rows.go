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
	Enabled  bool // as the source of the record says
	// Blocked says that another source has the user disabled. It is the snapshot's: it follows from Blocks, and what a
	// Change says about it is ignored.
	Blocked bool
	// SignInsFrom is the moment before which all sign-ins were ended at the tenant (Graph's
	// signInSessionsValidFromDateTime), in UTC and whole microseconds; zero when there is none.
	SignInsFrom time.Time
}

// Active reports whether the user is enabled in every source that knows them.
func (u User) Active() bool { return u.Enabled && !u.Blocked }

// Block says that a source beside that of the records has a user disabled, or has no longer.
type Block struct {
	User    identity.UserID
	Removed bool
}

// Group is a group of the directory, or who holds an app role (identity.AppRole).
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

// Part is what one source is the only one to say.
type Part uint8

// The parts, which may be added.
const (
	UserPart  Part = 1 << iota
	GroupPart      // groups, who holds app roles, and all memberships
	BlockPart

	Everything = UserPart | GroupPart | BlockPart
)

// Change is a set of changes that take effect together. Applying it twice gives the same as applying it once.
type Change struct {
	// Reset makes the change all there is of some parts of the directory: what of them it does not name is gone.
	Reset      Part
	Users      []User  // added or changed, whole records
	Groups     []Group // likewise
	GoneUsers  []identity.UserID
	GoneGroups []identity.GroupID
	Members    []Membership
	Blocks     []Block
	// Cursors are where the source goes on reading, by the source's own names; they are stored with the
	// change or not at all.
	Cursors map[string]string
	// AsOf is when the source said so; zero leaves the directory's age as it is.
	AsOf time.Time
}
