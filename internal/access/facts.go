// Package access decides, and keeps what it allowed only as long as the facts that allowed it.
//
// Facts is one immutable value. Decide is a pure function of it. Open gives a lease on a decision; Engine publishes
// new facts and then walks the leases that may rest on what changed. An Open inserts its lease before it reads the
// facts, and a change publishes its facts before it reads the leases: one of the two always sees the other, so no
// lease outlives a fact it needs.
package access

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Facts is all that a decision reads. It is replaced whole, never changed.
type Facts struct {
	Directory *directory.Snapshot
	Projects  *project.Set
	Policies  *policy.Set
	Sessions  *session.Set
	Grants    *grant.Set
	Seq       feed.Seq // the last feed entry these facts contain
	Bounds    Bounds
	Pages     string // the address of the pages: where people sign in
	Replica   Replica

	version uint64 // of an engine's facts, from 1
}

// Bounds say how old the directory and a step-up may be.
type Bounds struct {
	Stale time.Duration // beyond it nothing new is allowed
	Close time.Duration // beyond it what is open closes
}
