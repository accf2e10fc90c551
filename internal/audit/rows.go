package audit

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Rows is what the log asks of a database. Methods may be called concurrently, and by several processes.
type Rows interface {
	Reader
	// InsertRecords numbers events and stores them. They are durable when it returns nil, and all there or none.
	InsertRecords(context.Context, []Record) error
	// AuditTerm returns the present term.
	AuditTerm(context.Context) (Term, error)
	// TakeAuditTerm begins a new term for holder, unless the present one is no longer the one that was seen.
	TakeAuditTerm(ctx context.Context, seen int64, holder string) (Term, bool, error)
	// AppendTree stores a batch in one transaction. It returns ErrFenced, having changed nothing, when the batch's
	// term is over or another process extended the tree.
	AppendTree(context.Context, Batch) error
	// AppendIndex files events and moves the index's position from where it was seen. ErrFenced when it is elsewhere.
	AppendIndex(ctx context.Context, from int64, rows []IndexRow) error
	// MovePosition moves a follower's position from where it was seen; from 0 also when it has none. ErrFenced when it
	// is elsewhere.
	MovePosition(ctx context.Context, name string, from, to int64) error
	// PruneLog stores the signed statement and an event that says so; then PruneEvents removes up to limit of the events
	// before a position, with what they are found by, and returns how many.
	PruneLog(ctx context.Context, term int64, statement StoredCheckpoint, event Record) error
	PruneEvents(ctx context.Context, before int64, limit int) (int64, error)
	// Erase removes what stands beside the events before a position that are about a person, and stores the event that
	// record makes of their number; nothing when there are none.
	Erase(ctx context.Context, person, before int64, record func(events int64) (Record, error)) (int64, error)
}

// Reader is what reading and verifying ask of a database.
type Reader interface {
	// Sizes returns how long the log and its parts are at one moment. No event is ever committed later with a number
	// below Given.
	Sizes(context.Context) (Sizes, error)
	// Leaves returns events after position after, in order.
	Leaves(ctx context.Context, after int64, limit int) ([]Leaf, error)
	// FindLeaves returns events of the index that fit the terms, beyond a mark, in the direction of the search.
	FindLeaves(context.Context, Terms) ([]Leaf, error)
	// IndexRows returns what events are filed under, after position after, in order.
	IndexRows(ctx context.Context, after int64, limit int) ([]IndexRow, error)
	// FirstSince returns the position of the oldest event of the index that is not before a time; -1 for none.
	FirstSince(context.Context, time.Time) (int64, error)
	// Positions returns the followers' positions by name.
	Positions(context.Context) (map[string]int64, error)
	// Checkpoints returns checkpoints of trees larger than after, by size.
	Checkpoints(ctx context.Context, after int64, limit int) ([]StoredCheckpoint, error)
	// CheckpointOf returns that of one size; zero when there is none.
	CheckpointOf(ctx context.Context, size int64) (StoredCheckpoint, error)
	// LastCheckpoint returns that of the largest tree; zero when there is none.
	LastCheckpoint(context.Context) (StoredCheckpoint, error)
	// Prunings returns the signed statements about removed events, by size.
	Prunings(context.Context) ([]StoredCheckpoint, error)
	// TreeHashes returns stored hashes from an index on, in order: limit rows of them, each several hashes.
	TreeHashes(ctx context.Context, from int64, limit int) ([]StoredHash, error)
	// TreeHashesAt returns the hashes at these indexes, those that are there.
	TreeHashesAt(ctx context.Context, indexes []int64) ([]StoredHash, error)
}

// ErrFenced says that another process leads the log now.
var ErrFenced = errors.New("another process leads the audit log")

// Sizes are numbers of events.
type Sizes struct {
	Given   int64 // numbered and stored
	Last    int64 // position of the newest that is there; -1 when none is
	Signed  int64 // covered by the last checkpoint
	Indexed int64 // filed in the index
	Pruned  int64 // of the first events, whose bodies were removed because of their age
}

// Term is one process's leadership. Numbers only grow.
type Term struct {
	Number int64
	Holder string // empty: given up
}

// Leaf is an event in the log: its position, its exact bytes, and the personal values that these commit to.
type Leaf struct {
	Seq    int64
	Body   []byte
	Clear  []byte // nil: none, or erased
	Erased int64  // position of the event that says that they were erased; -1
}

// StoredHash is a hash of the tree under its stored-hash index.
type StoredHash struct {
	Index int64
	Hash  tlog.Hash
}

// StoredCheckpoint is a signed note, as text, under the size that it is for.
type StoredCheckpoint struct {
	Size int64
	Note []byte
}

// Batch is what one transaction adds to the tree: consecutive hashes, and the checkpoint.
type Batch struct {
	Term       int64
	Hashes     []StoredHash
	Checkpoint StoredCheckpoint
}
