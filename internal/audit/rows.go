package audit

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Rows is what the log asks of a database. Methods may be called concurrently, and by several processes.
type Rows interface {
	Reader
	// InsertEvents makes events pending. They are durable when it returns nil, and all there or none.
	InsertEvents(context.Context, []Event) error
	// AuditTerm returns the present term.
	AuditTerm(context.Context) (Term, error)
	// TakeAuditTerm begins a new term for holder, unless the present one is no longer the one that was seen.
	TakeAuditTerm(ctx context.Context, seen int64, holder string) (Term, bool, error)
	// AppendLeaves stores a batch and removes its pending events in one transaction. It returns ErrFenced, having
	// changed nothing, when the batch's term is over or another process took its events.
	AppendLeaves(context.Context, Batch) error
}

// Reader is what reading and verifying ask of a database.
type Reader interface {
	// PendingEvents returns the first events that are not in the log, in the order of their commits. No event is
	// ever committed later with a number below one that was returned.
	PendingEvents(ctx context.Context, limit int) ([]Pending, error)
	// Leaves returns events after position after, in order.
	Leaves(ctx context.Context, after int64, limit int) ([]Leaf, error)
	// SearchLeaves returns what fits.
	SearchLeaves(context.Context, Filter) ([]Leaf, error)
	// Checkpoints returns checkpoints of trees larger than after, by size.
	Checkpoints(ctx context.Context, after int64, limit int) ([]StoredCheckpoint, error)
	// LastCheckpoint returns that of the largest tree; zero when there is none.
	LastCheckpoint(context.Context) (StoredCheckpoint, error)
	// TreeHashes returns stored hashes from an index on, in order.
	TreeHashes(ctx context.Context, from int64, limit int) ([]StoredHash, error)
	// TreeHashesAt returns the hashes at these indexes, those that are there.
	TreeHashesAt(ctx context.Context, indexes []int64) ([]StoredHash, error)
}

// ErrFenced says that another process leads the log now.
var ErrFenced = errors.New("another process leads the audit log")

// Term is one process's leadership. Numbers only grow.
type Term struct {
	Number int64
	Holder string // empty: given up
}

// Pending is an event that is durable but not in the log yet.
type Pending struct {
	Num  int64
	Body []byte // as Encode made it
}

// Leaf is an event in the log: its position, its exact bytes, and what of them can be searched for.
type Leaf struct {
	Seq       int64
	At        time.Time
	Action    string
	Person    string // the person's object ID
	Workspace string
	Body      []byte
}

// StoredHash is a hash of the tree under its stored-hash index.
type StoredHash struct {
	Index int64
	Hash  tlog.Hash
}

// StoredCheckpoint is a signed checkpoint, as note text, under the size that it is for.
type StoredCheckpoint struct {
	Size int64
	Note []byte
}

// Batch is what one transaction adds to the log.
type Batch struct {
	Term                      int64
	FirstPending, LastPending int64
	Leaves                    []Leaf
	Hashes                    []StoredHash
	Checkpoint                StoredCheckpoint
}

// Filter says which events are wanted. Zero fields do not restrict.
type Filter struct {
	Person    string // object ID
	Action    string
	Workspace identity.WorkspaceID
	Since     time.Time
	After     int64 // positions greater than this; -1 for all
	Limit     int
	Newest    bool // the newest first
}
