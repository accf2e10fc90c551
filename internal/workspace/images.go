package workspace

import (
	"context"
	"io"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Images is a Runtime that runs images. Both calls answer the same for the same order, fetch or build nothing twice, and
// may come concurrently. What was made is kept while a workspace uses it, and goes some time after that.
type Images interface {
	// Pull makes ready the image that a registry, or the machine's own store, has under a name. An empty name is the image
	// of workspaces that name none, where the runtime has one.
	Pull(ctx context.Context, o PullOrder, progress func(step string)) (Ready, error)
	// Build builds one from a Dockerfile.
	Build(ctx context.Context, o BuildOrder, progress func(step string)) (Ready, error)
}

// PullOrder names an image.
type PullOrder struct {
	Ref string // host/name:tag, host/name@sha256:…; names without a host are Docker Hub's
	// User and Password open the registry; both empty: anybody may pull. They never reach a workspace.
	User, Password string
	// For names who wants it, who may have a few fetched at a time; empty: the server itself.
	For string
	// Again says that who orders ran this very image, named by its digest, before: when the registry is silent, what is kept
	// of it will do. A registry that refuses is obeyed.
	Again bool
}

// BuildOrder says what to build.
type BuildOrder struct {
	// Key names the content that the build sees, Dockerfile, context and arguments, and for whom it is built: the same key, with
	// the same images to begin with, is the same image. Those are asked for every time, also where it is there.
	Key string
	// Limits are what a step may use of the machine.
	Limits Limits
	// Context opens the folder that the build sees, as a tar stream.
	Context    func(context.Context) (io.ReadCloser, error)
	Dockerfile string // path in it
	Target     string
	Args       map[string]string
	// Base is an image that was made ready for this workspace before (Ready.Image.Ref): a FROM that names it means it as it
	// is, and nobody is asked again. It never comes from a repository's own words.
	Base string
	// From says how another image that the Dockerfile names is pulled, or why it may not be; nil: as anybody may.
	From func(ref string) (PullOrder, error)
	// ID and Endpoint are the workspace whose exit its RUN steps have; they have no other.
	ID       identity.WorkspaceID
	Endpoint func(ctx context.Context, uid int) (dir string, err error)
}

// Ready is an image that can be started now, and what it says of itself.
type Ready struct {
	Image Image
	User  string            // its own user; empty: root
	Env   map[string]string // its own environment
	// Users are the names of its users (/etc/passwd), as far as they are known.
	Users []string
	// Metadata is the label devcontainer.metadata, JSON (https://containers.dev/implementors/reference/#labels); empty: none.
	Metadata string
}
