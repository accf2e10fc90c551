package workspace

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Runtime runs workspaces. All calls are idempotent by ID, may come concurrently, and may come again after the server
// died in the middle of any of them. The interface assumes neither a shared file system nor a shared kernel: what a
// workspace says to the server goes through its tunnel alone. workspace/runtimetest holds what every Runtime must pass.
type Runtime interface {
	// Name is the runtime's name in configuration and messages.
	Name() string

	// Check finds out whether this machine can run workspaces. What is missing is a problem.Unavailable that says what,
	// and how to allow or install it.
	Check(ctx context.Context) error

	// Start starts the workspace with the files of an earlier run, or makes it. If it runs already nothing is
	// started, but Spec.Endpoint is called all the same: that is how a restarted server gives a running workspace
	// its socket back. When Start returns nil the agent runs and is about to connect. On an error nothing runs that
	// this call started, and files of an earlier run are as they were. progress, which may be nil, is told steps that
	// take time.
	Start(ctx context.Context, spec Spec, progress func(step string)) error

	// Stop ends all processes of the workspace at once (what is to end gently is asked by its agent before), and of what
	// stands beside it, and returns when they have ended. Files stay. Stopping what does not run, or is not there, is no error.
	Stop(ctx context.Context, id identity.WorkspaceID) error

	// Delete stops the workspace and removes its files. Deleting what is not there is no error. On an error what is
	// left is still listed, and Delete may be called again.
	Delete(ctx context.Context, id identity.WorkspaceID) error

	// List returns every workspace of which anything exists here, running or not, also what an earlier process of the
	// server left behind.
	List(ctx context.Context) ([]Observed, error)
}

// Spec is what to run.
type Spec struct {
	ID   identity.WorkspaceID
	Name string // the workspace's host name: [A-Za-z0-9][A-Za-z0-9._-]*
	// Endpoint makes the folder with the tunnel's socket for processes of the host's user uid, and returns its path;
	// the runtime mounts that folder read-only at /run/lanyard. Start calls it once, at every call.
	Endpoint func(ctx context.Context, uid int) (dir string, err error)
	// Beside is the workspace that this one stands beside: it ends when that one does, and shares nothing with it but the
	// machine. That workspace was made before, on this runtime. Empty: it stands alone.
	Beside identity.WorkspaceID
	// SharesFiles gives it the checkouts of the workspace that it stands beside instead of a folder of its own. What it
	// does to them it does as that workspace's user; home, processes and socket are its own all the same.
	SharesFiles bool
	// Image is what its files come from; the zero value is the runtime's own: the machine's /usr in the sandbox, the
	// configured default elsewhere.
	Image Image
	// User is the user of the image that the agent and all processes run as; empty: the image's own. The sandbox has one user only.
	User string
	// Limits bound the workspace; zero fields are unbounded.
	Limits Limits
	// Volumes outlive the container and are the workspace's own: no other workspace sees them.
	Volumes []Volume
	// Env is the environment of process 1, which its children inherit before the Setup's: the image's own. What a repository
	// sets is the Setup's, so that nothing of it reaches the agent itself.
	Env map[string]string
	// Labels are shown by the engine's own tools: project, owner, repository. A runtime without labels drops them.
	Labels map[string]string
}

// Image names an image. Ref is pinned to a digest by who prepared it, so that what was decided is what runs.
type Image struct {
	Ref string // name@sha256:…
	// Path is the folder of its files, unpacked, for runtimes that share the server's file system (the sandbox).
	Path string
}

// Limits are what a class gives a workspace.
type Limits struct {
	CPUs      float64 // processors
	Memory    int64   // bytes
	Disk      int64   // bytes of home, checkouts, volumes and what was changed of the image, together
	Processes int64   // processes and threads
}

// Volume is a named volume.
type Volume struct {
	Name     string // [a-z0-9-]{1,63}
	Target   string // absolute
	ReadOnly bool
}

// Hider is a Runtime that mounts the sockets' folders by a power of its own, so that nobody else has to walk to them; its
// workspaces run under numbers that users of this machine may have too.
type Hider interface{ HidesSockets() }

// Watcher is a Runtime that says by itself what changes: manager and runtime need not compare lists to notice an end.
type Watcher interface {
	// Watch calls changed with each workspace whose processes started or ended, until ctx ends or the source is lost (an
	// error, after which it is called again).
	Watch(ctx context.Context, changed func(identity.WorkspaceID)) error
}

// Figures are what a workspace uses now, for those runtimes that can say it from outside; zero fields are not known.
type Figures struct {
	CPU       time.Duration // processor time since its start
	Memory    int64         // bytes
	Processes int64
}

// Meter is a Runtime that measures; what is on disk is a Disk's.
type Meter interface {
	Measure(ctx context.Context, id identity.WorkspaceID) (Figures, error)
}

// Observed is what a Runtime sees of a workspace.
type Observed struct {
	ID      identity.WorkspaceID
	Beside  identity.WorkspaceID // see Spec
	Running bool
	Started time.Time // when its processes last started; zero if they never did
	Image   string    // the digest of what it runs; empty where there is none
}
