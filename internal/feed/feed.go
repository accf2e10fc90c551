// Package feed is the ordered feed of changes that every replica follows.
//
// An entry names what changed, not how: whoever follows reads the rows again. Rows, entry and audit event are
// written in one transaction that locks the feed's head row, so the order of numbers is the order of commits, and
// a follower that has read number n will never meet a smaller one later.
package feed

import "time"

// Seq is an entry's number. Numbers start at 1 and have no gaps that a later commit could fill.
type Seq int64

// Topic says which rows an entry is about.
type Topic string

const (
	Directory Topic = "directory" // users, groups, memberships; Keys are user and group keys
	Sessions  Topic = "sessions"  // sign-ins and sessions; Keys are their IDs
	Projects  Topic = "projects"  // a new revision of projects and policies; no keys
	Workspace Topic = "workspace" // Keys are workspace IDs
	Leases    Topic = "leases"    // leases to be closed; Keys are lease IDs
	Keys      Topic = "keys"      // signing keys; no keys of entries
	Ring      Topic = "ring"      // the tenant rang at another replica than the one that reads the directory; a key when it is about the subscriptions
	Grants    Topic = "grants"    // requests and grants; Keys are their IDs
	Tokens    Topic = "tokens"    // which minted tokens were revoked; no keys
	// Provisioning is what the tenant's provisioning service said, and its credentials; Keys are provision's own.
	Provisioning Topic = "provisioning"
)

// Entry is one change.
type Entry struct {
	Seq    Seq
	At     time.Time // when it was written, by the database's writer
	Origin string    // the process that wrote it, which has applied it already
	Topic  Topic
	Keys   []string // what changed; empty means "all of the topic"
}
