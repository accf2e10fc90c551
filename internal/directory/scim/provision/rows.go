package provision

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory/scim"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// Kind is a resource's type (RFC 7643 §6).
type Kind = scim.Kind

// The kinds of resources.
const (
	UserKind  = scim.User
	GroupKind = scim.Group
)

// Row is a resource as it is stored.
type Row struct {
	Kind     Kind
	ID       string
	External string // externalId, as the client wrote it
	Object   string // the same in lower case where it is a GUID; empty elsewhere
	Name     string // userName or displayName
	NameKey  string // in lower case
	Display  string // displayName
	Mail     string
	Mails    []string // all addresses in lower case; written, and not read again
	Active   bool
	Roles    []string // values of a user's app roles
	Body     []byte   // the resource as JSON, without id, meta and members
	Version  int64
	Created  time.Time
	Changed  time.Time
}

// Column is what rows are found by without reading all of them.
type Column string

// The columns.
const (
	ByID       Column = "id"
	ByExternal Column = "external_id"
	ByName     Column = "name_key"
	ByMail     Column = "mail" // one of a user's addresses, in lower case
	ByObject   Column = "object"
	ByMember   Column = "member" // groups that contain the resource with this ID
)

// Match is a column with the value that it must have.
type Match struct {
	Column Column
	Value  string
}

// Member is a group's member as it is shown.
type Member struct {
	Group, ID string
	Kind      Kind
	Display   string
}

// Tx is a transaction that changes resources. Transactions come one after the other.
type Tx interface {
	Resource(ctx context.Context, kind Kind, id string) (Row, bool, error)
	// Find returns the rows of a kind with this value in the column.
	Find(ctx context.Context, kind Kind, by Match) ([]Row, error)
	// Put writes a row whole. One with an object ID is not gone any more.
	Put(ctx context.Context, r Row) error
	// Delete removes a row and all memberships in it and of it. A user with an object ID is gone from then on.
	Delete(ctx context.Context, r Row) error

	// Known returns which of these IDs are of resources, with their kind, object ID and name only.
	Known(ctx context.Context, ids []string) (map[string]Row, error)
	// MemberIDs returns the IDs of a group's members.
	MemberIDs(ctx context.Context, group string) ([]string, error)
	// AddMembers and RemoveMembers return those IDs that were not members before, or were.
	AddMembers(ctx context.Context, group string, ids []string) (added []string, err error)
	RemoveMembers(ctx context.Context, group string, ids []string) (removed []string, err error)
}

// Written is what a transaction did: whom the directory has to look at again, and what the audit log says.
type Written struct {
	Keys   []string
	Events []audit.Event
}

// Facts are what the provisioning service said, as far as the directory is concerned. Users and Groups are rows with an
// object ID, without body; Members name object IDs.
type Facts struct {
	Users   []Row
	Groups  []Row
	Members []Pair
	Gone    []string // object IDs of users that were deleted
	Seq     feed.Seq // at which that held
}

// Pair is one direct membership between resources that have object IDs.
type Pair struct {
	Group  string
	Kind   Kind // of the member
	Member string
}

// Credential is a secret that a provisioning service knows.
type Credential struct {
	ID, Name string
	Kind     CredentialKind
	Hash     []byte // SHA-256 of the secret, which has 256 bits of its own
	Made     time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time
}

// Use says when a credential was used last, to the minute, and from where.
type Use struct {
	Credential string
	At         time.Time
	IP         string
}

// CredentialKind says what a secret is good for.
type CredentialKind string

// The kinds of credentials.
const (
	Bearer CredentialKind = "bearer" // sent with each request
	Client CredentialKind = "client" // exchanged for short-lived tokens (RFC 6749 §4.4)
)

// Counts are the numbers of what is stored.
type Counts struct {
	Users, Inactive, Groups, Members int64
	Stray, StrayGroups               int64 // without a GUID as externalId
	Gone                             int64
}

// Rows stores what the provisioning service says.
type Rows interface {
	// WriteSCIM runs f in a transaction under the lock of all such transactions; rows, feed entry and events are written
	// together. Without keys there is no entry, and the number is 0.
	WriteSCIM(ctx context.Context, f func(context.Context, Tx) (Written, error)) (feed.Seq, error)
	SCIMResource(ctx context.Context, kind Kind, id string) (Row, bool, error)
	// ListSCIM returns rows in the order of their making, and how many match in all.
	ListSCIM(ctx context.Context, kind Kind, by []Match, offset, limit int) ([]Row, int, error)
	// EachSCIM calls f for all that match, in the order of their making, from one consistent read.
	EachSCIM(ctx context.Context, kind Kind, by []Match, f func(Row) error) error
	SCIMMembers(ctx context.Context, groups []string) ([]Member, error)
	// SCIMFacts reads the facts about users and groups with these object IDs: their records, the memberships of both in
	// groups, and all members of the groups in whole.
	SCIMFacts(ctx context.Context, users, groups, whole []string) (Facts, error)
	// AllSCIMFacts reads all facts; without members those that only disable people.
	AllSCIMFacts(ctx context.Context, members bool) (Facts, error)
	SCIMCounts(ctx context.Context) (Counts, error)
	ForgetSCIM(ctx context.Context, objects []string, entry feed.Entry, events ...audit.Event) error

	SaveSCIMCredential(ctx context.Context, c Credential, entry feed.Entry, events ...audit.Event) error
	SCIMCredentials(ctx context.Context) ([]Credential, []Use, error)
	NoteSCIMUse(ctx context.Context, u Use) error
}
