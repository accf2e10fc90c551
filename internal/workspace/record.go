package workspace

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
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
}
