package access

import (
	"fmt"
	"time"
)

// How far behind the others a replica may be. Somebody else may have taken access away that this one still gives.
const (
	behindOpens  = 2 * time.Second // beyond it nothing new is allowed
	behindCloses = 5 * time.Second // beyond it what is open closes
)

// StaleReplica is the code of what a replica refuses because it has not heard from the others.
const StaleReplica Code = "replica-stale"

// Replica is what a decision knows of other processes that change the facts too.
type Replica struct {
	// Behind is how old the facts may be: what others changed longer ago than that is in them. nil, or zero: there are no
	// others.
	Behind func() time.Duration
}

// current refuses on facts that others may have changed without our having heard of it.
func (a alive) current(f *Facts) Decision {
	if f.Replica.Behind == nil {
		return Decision{}
	}
	bound := behindOpens
	if a.open {
		bound = behindCloses
	}
	behind := f.Replica.Behind()
	if behind < bound {
		return Decision{}
	}
	return deny(StaleReplica, fmt.Sprintf(
		"this server has not heard from its database for %s, so others may have taken this access away; it is given again when the database answers",
		behind.Round(time.Second)))
}

// TooFarBehind reports whether facts that are so old close what is open.
func TooFarBehind(behind time.Duration) bool { return behind >= behindCloses }
