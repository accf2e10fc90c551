package directory

import (
	"unique"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// A large organisation has ten memberships and more for each user. A snapshot keeps each of them twice, for both
// directions, as one word: a handle on the ID, of which there is one in memory however often a source says it.
type (
	memberHandle = unique.Handle[Member]
	groupHandle  = unique.Handle[identity.GroupID]
)

func compareHandles(h groupHandle, g identity.GroupID) int { return compareGroups(h.Value(), g) }
