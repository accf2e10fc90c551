package snapshot

import (
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Origin is a snapshot that files came out of. It is stored as JSON.
type Origin struct {
	ID      identity.SnapshotID `json:"id"`
	Owner   identity.UserID     `json:"owner"` // who took it
	Name    string              `json:"name"`  // the owner's
	Created time.Time           `json:"created"`
}

// Passed is what a workspace remembers that is opened from a snapshot: this one, and those whose files are in it, oldest first.
// Of each person the newest is named, so that it does not grow with each round.
func (r Row) Passed() []Origin {
	this := Origin{ID: r.ID, Owner: r.Owner, Name: r.OwnerName, Created: r.Created}
	earlier := slices.DeleteFunc(slices.Clone(r.Origins), func(o Origin) bool { return o.Owner == r.Owner })
	return append(earlier, this)
}

// Foreign reports whether files are somebody else's than u's.
func Foreign(origins []Origin, u identity.UserID) bool {
	return slices.ContainsFunc(origins, func(o Origin) bool { return o.Owner != u })
}
