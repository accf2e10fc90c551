// Package feature puts a devcontainer's features on top of an image (https://containers.dev/implementors/features/): it
// fetches them from OCI registries or from folders of the repository, orders them, and makes of them a Dockerfile with its
// context for a runtime that builds. It runs nothing.
package feature

import (
	"context"
	"io"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Config is what an Installer reaches registries with.
type Config struct {
	// Transport reaches registries. It decides which addresses may be dialled.
	Transport http.RoundTripper
	// Credential finds what opens a registry; nil, or both empty: what anybody may have.
	Credential func(ctx context.Context, host string) (user, password string, err error)
	// PlainHTTP names registries beside loopback's that are asked without TLS, as host:port.
	PlainHTTP map[string]bool
}

// Installer prepares features.
type Installer struct {
	transport  http.RoundTripper
	credential func(ctx context.Context, host string) (user, password string, err error)
	plain      map[string]bool
}

// New makes an Installer.
func New(c Config) *Installer {
	return &Installer{transport: c.Transport, credential: c.Credential, plain: c.PlainHTTP}
}

// Order says which features go on which image.
type Order struct {
	Base     workspace.Ready
	Features []devfile.Feature // Plan.Features
	First    []string          // Plan.FeatureOrder
	// User is who the workspace's processes run as (Plan.User); empty: the image's own.
	User string
	// Folder opens a folder of the repository as a tar stream whose names are relative to it, for features that lie there.
	// A folder that is not there is a problem.NotFound.
	Folder func(ctx context.Context, path string) (io.ReadCloser, error)
	// Lock is the content of devcontainer-lock.json beside the file, which pins features to digests; empty: there is none.
	Lock []byte
}

// Prepared is what a runtime builds.
type Prepared struct {
	// Key names the content: base image, features, options and order.
	Key        string
	Dockerfile string // path in the context
	// Metadata is the label devcontainer.metadata that the built image has: the base's and the features'. Plan.On takes it.
	Metadata  string
	Installed []Installed // in the order of their installation
	base      string
	tar       []byte
}

// Installed is a feature as it was found.
type Installed struct {
	Ref     string // as the file names it, or the feature that needs it
	ID      string
	Version string
	// Digest is of the manifest in its registry; empty for a folder of the repository.
	Digest string
}

// Build is the order for a runtime. The workspace's ID and Endpoint are the caller's to add.
func (p Prepared) Build() workspace.BuildOrder {
	return workspace.BuildOrder{Key: p.Key, Dockerfile: p.Dockerfile, Context: p.Context, Base: p.base}
}

// Prepare fetches the features and what they need. An error is a problem.Error that names the feature.
func (i *Installer) Prepare(ctx context.Context, o Order, progress func(step string)) (Prepared, error) {
	if progress == nil {
		progress = func(string) {}
	}
	all, err := i.collect(ctx, o, progress)
	if err != nil {
		return Prepared{}, err
	}
	sorted, err := install(all, o.First)
	if err != nil {
		return Prepared{}, err
	}
	return assemble(o, sorted)
}
