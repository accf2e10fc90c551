package workspace

import (
	"encoding/json"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/snapshot"
)

// Phase is what was last observed of a workspace. The words are Gitpod's.
type Phase string

const (
	Unknown      Phase = "unknown"
	Preparing    Phase = "preparing"
	Building     Phase = "building"
	Pending      Phase = "pending"
	Creating     Phase = "creating"
	Initializing Phase = "initializing"
	Running      Phase = "running"
	Interrupted  Phase = "interrupted"
	Stopping     Phase = "stopping"
	Stopped      Phase = "stopped"
)

// Desired is what its owner wants of a workspace.
type Desired string

const (
	WantRunning Desired = "running"
	WantStopped Desired = "stopped"
	WantDeleted Desired = "deleted"
)

// Workspace is the record of one workspace.
type Workspace struct {
	ID         identity.WorkspaceID
	Owner      identity.UserID
	OwnerName  string // display name at creation, for show
	Project    identity.ProjectID
	Repository string             // canonical URL
	Ref        string             // branch, tag or commit; empty for the default branch
	Name       string             // the checkout's folder name: [a-z0-9._-], from the repository
	Session    identity.SessionID // its session
	Desired    Desired
	Phase      Phase
	Message    string // what the phase waits for, or why it failed
	Created    time.Time
	Changed    time.Time
	Node       string // the replica's data folder that it lives in
	Details
}

// NoFile is Details.Wanted where the repository's own file is to have no effect.
const NoFile = "none"

// Details are what is remembered of a workspace beside its state. They are stored as JSON: fields may be added, and none may
// change its meaning. Nothing in them is a secret.
type Details struct {
	Class string `json:"class,omitempty"` // as configured; empty: the default
	// Fitted says that the class was chosen for what the repository's file needs, and asked for by nobody.
	Fitted bool `json:"fitted,omitempty"`
	// Image is what it ran with last, pinned to a digest; Plan is the path of the file that said so.
	Image string `json:"image,omitempty"`
	Plan  string `json:"plan,omitempty"`
	// Wanted is the file (or the folder below .devcontainer) that its owner chose instead of the one that counts;
	// NoFile: none.
	Wanted string `json:"wanted,omitempty"`
	// Said is what the repository's file said at the first start, as JSON of the server's own: later starts do the same.
	Said json.RawMessage `json:"said,omitempty"`
	// Request is the number of the pull or merge request that it was started from; 0: none.
	Request int `json:"request,omitempty"`
	// Context is the URL that it was started from, without variables.
	Context string `json:"context,omitempty"`
	// Variables were given with the context URL, after a confirmation.
	Variables map[string]string `json:"variables,omitempty"`
	// Commit is what was checked out first; Prebuild and Snapshot are what its files began with.
	Commit   string `json:"commit,omitempty"`
	Prebuild string `json:"prebuild,omitempty"`
	Snapshot string `json:"snapshot,omitempty"`
	// Origins are the snapshots that its files came through, the last of them Snapshot. Foreign says that one of them is somebody
	// else's: its files are what they left there, and nobody reviewed them.
	Origins []snapshot.Origin `json:"origins,omitempty"`
	Foreign bool              `json:"foreign,omitempty"`
	// Taken is, until its first start has come to that, the print of what was made ahead under its ID and taken for it.
	Taken string `json:"taken,omitempty"`
	// Warm says that its first start was given what was made ahead. Cold is why it was not, where its project has some made.
	Warm bool   `json:"warm,omitempty"`
	Cold string `json:"cold,omitempty"`
	// Used is when somebody was last in it, as far as it is stored.
	Used time.Time `json:"used,omitzero"`
	// Timeout is what its owner set instead of the project's; zero: nothing.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Pinned keeps it from being archived and deleted for age.
	Pinned   bool      `json:"pinned,omitempty"`
	Archived time.Time `json:"archived,omitzero"`
	// Began is when it last started to run; Queued since when it waits for room on its machine.
	Began  time.Time `json:"began,omitzero"`
	Queued time.Time `json:"queued,omitzero"`
	// Holds is the memory that it was given room for when it last started, in bytes: another class holds from the next start.
	Holds int64 `json:"holds,omitempty"`
	// Unsaved is what its checkouts held when it last stopped and no remote had; nil: that is not known.
	Unsaved *Unsaved `json:"unsaved,omitempty"`
	// Full says that it was stopped for its disk, and has not made room since.
	Full *Full `json:"full,omitempty"`
	// Failed is the last start, where it failed.
	Failed *FailedStart `json:"failed,omitempty"`
}

// Unsaved counts what would be lost with a workspace's files.
type Unsaved struct {
	Changed  int       `json:"changed"`  // files that are not committed
	Unpushed int       `json:"unpushed"` // commits that no remote is known to have
	Stashes  int       `json:"stashes"`
	Seen     time.Time `json:"seen"`
}

// FailedStart says at which step a start failed, and the last lines before that.
type FailedStart struct {
	Step  string   `json:"step"`
	Lines []string `json:"lines,omitempty"`
}
