// Package prebuild keeps checkouts that were made ready ahead: a row that says of which commit, and a file below the data folder
// with all that was made. How one is made, and who may have it, is decided elsewhere; which one fits a commit is said here.
package prebuild

import (
	"context"
	"log/slog"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// State is what became of a prebuild.
type State string

// The states.
const (
	Waiting State = "waiting" // for those before it
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed" // and never used
)

// Row is what is known of a prebuild.
type Row struct {
	ID         identity.PrebuildID
	Project    identity.ProjectID
	Repository string // canonical URL
	Ref        string // the branch, as a whole ref
	Commit     string
	Cause      string // push, poll, schedule, or who asked for it
	State      State
	Message    string               // why it failed
	Log        string               // what was said meanwhile, at most MaxLog bytes
	Workspace  identity.WorkspaceID // that it is made in
	Size       int64                // of the file, in bytes
	Digest     string               // of the file: sha256:…
	Created    time.Time
	Started    time.Time // zero while it waits
	Ended      time.Time // zero before
	Expires    time.Time // zero before it is done
	Node       string    // the data folder that the file is in; see workspace.Workspace
}

// MaxLog bounds what is kept of what was said.
const MaxLog = 64 << 10

// Rows stores prebuilds, with the events that tell of them.
type Rows interface {
	// PutPrebuild writes a new one, or all of a known one.
	PutPrebuild(context.Context, Row, ...audit.Event) error
	// Prebuild finds one; found is false where there is none.
	Prebuild(context.Context, identity.PrebuildID) (row Row, found bool, err error)
	// Prebuilds are all, newest first.
	Prebuilds(context.Context) ([]Row, error)
	// DropPrebuild removes one; found is false, and nothing recorded, where there is none.
	DropPrebuild(context.Context, identity.PrebuildID, ...audit.Event) (found bool, err error)
}

// keepSeen is how long one that failed is kept: long enough to be read.
const keepSeen = 24 * time.Hour

// Config makes a Keeper.
type Config struct {
	Dir  string // of the files; made when the first is
	Node string // see Row
	Rows Rows
	// Keep is how many of each branch of a repository are kept; what it answers 0 for is not kept at all.
	Keep   func(project identity.ProjectID, repository string) int
	Limits Limits
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Keeper keeps prebuilds.
type Keeper struct{ c Config }

// New returns a Keeper.
func New(c Config) *Keeper {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Limits = c.Limits.OrDefaults()
	return &Keeper{c}
}
