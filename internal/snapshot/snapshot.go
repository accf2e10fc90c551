// Package snapshot keeps copies of checkouts: what is committed and what is not, as one file each below the data folder, and a
// row that says whose it is and what its file's digest is. The home folder is not part of one. Who may open one is decided
// elsewhere, each time anew.
package snapshot

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// Row is what is known of a snapshot.
type Row struct {
	ID         identity.SnapshotID
	Owner      identity.UserID // who took it
	OwnerName  string
	Workspace  identity.WorkspaceID // that it was taken of; may be gone
	Project    identity.ProjectID
	Repository string // canonical URL
	Ref        string // the workspace's
	Name       string // the checkout's folder
	Commit     string // that was checked out; empty before the first one
	Dirty      bool   // there was something that was not committed
	Branch     string
	Note       string // its owner's words
	Size       int64  // of the file, in bytes
	Digest     string // of the file: sha256:…
	Created    time.Time
	Expires    time.Time
	Node       string // the data folder that the file is in; see workspace.Workspace
	// Origins are the snapshots that the workspace it was taken of began with; none: the repository alone.
	Origins []Origin
}

// Rows stores snapshots, with the events that tell of them.
type Rows interface {
	AddSnapshot(context.Context, Row, ...audit.Event) error
	// Snapshot finds one; found is false where there is none.
	Snapshot(context.Context, identity.SnapshotID) (row Row, found bool, err error)
	// Snapshots are all, newest first.
	Snapshots(context.Context) ([]Row, error)
	// DropSnapshot removes one; found is false, and nothing recorded, where there is none.
	DropSnapshot(context.Context, identity.SnapshotID, ...audit.Event) (found bool, err error)
}

// Limits bound what is kept; zero fields take the defaults.
type Limits struct {
	Size  int64         // of one, in bytes
	Count int           // of one person
	Total int64         // of all in the data folder together, in bytes; one that is begun below it is kept
	Keep  time.Duration // how long
}

// What is kept where nothing is said.
const (
	DefaultSize  = 1 << 30
	DefaultCount = 20
	DefaultTotal = 100 << 30
	DefaultKeep  = 30 * 24 * time.Hour
)

// Config makes a Keeper.
type Config struct {
	Dir    string // of the files; made when the first is
	Node   string // see Row
	Rows   Rows
	Limits Limits
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Keeper keeps snapshots.
type Keeper struct {
	c Config

	mu     sync.Mutex
	taking map[identity.UserID]bool // who has one taken now
}

// New returns a Keeper.
func New(c Config) *Keeper {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Limits.Size <= 0 {
		c.Limits.Size = DefaultSize
	}
	if c.Limits.Count <= 0 {
		c.Limits.Count = DefaultCount
	}
	if c.Limits.Total <= 0 {
		c.Limits.Total = DefaultTotal
	}
	if c.Limits.Keep <= 0 {
		c.Limits.Keep = DefaultKeep
	}
	return &Keeper{c: c, taking: map[identity.UserID]bool{}}
}
