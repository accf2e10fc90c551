package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	engineimage "github.com/docker/docker/api/types/image"

	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// metadataLabel is where images say what devcontainer.json would (https://containers.dev/implementors/reference/#labels).
const metadataLabel = "devcontainer.metadata"

// order is a PullOrder, and whether what is there may be used where the registry cannot be asked.
type order struct {
	workspace.PullOrder
	offline bool
}

// defaultOrder is for the image of workspaces that name none: an administrator chose it, so nobody has to be asked again.
func (r *Runtime) defaultOrder() order {
	return order{PullOrder: workspace.PullOrder{Ref: r.image}, offline: true}
}

// Pull implements workspace.Images. The registry is asked each time whether this credential may have the image, also where
// the engine has it already: what somebody else pulled is not for everybody on the machine.
func (r *Runtime) Pull(ctx context.Context, o workspace.PullOrder, progress func(string)) (workspace.Ready, error) {
	if o.Ref == "" {
		o.Ref = r.image
	}
	if o.Ref == "" || o.Ref == r.image {
		o.Ref = r.image
		return r.pull(ctx, order{PullOrder: o, offline: true}, progress)
	}
	return r.pull(ctx, order{PullOrder: o}, progress)
}

func (r *Runtime) pull(ctx context.Context, o order, progress func(string)) (workspace.Ready, error) {
	if progress == nil {
		progress = func(string) {}
	}
	ref, err := image.ParseReference(o.Ref)
	if err != nil {
		return workspace.Ready{}, err
	}
	here, err := r.engine.ImageInspect(ctx, ref.String())
	isHere := err == nil
	if err != nil && !notFound(err) {
		return workspace.Ready{}, r.failed("look for the image "+o.Ref, err)
	}
	if isHere {
		own, err := r.local(ctx, here)
		if err != nil {
			return workspace.Ready{}, err
		}
		if own {
			return r.ready(ctx, here, here.ID)
		}
	}
	if isHere && o.offline {
		r.used(here.ID)
		return r.ready(ctx, here, pinned(here, ref))
	}
	found, err := r.asker.Find(ctx, ref, o.User, o.Password)
	if err != nil && o.Again && silent(err) {
		if here, missing := r.inspect(ctx, ref.String()); missing == nil {
			progress(ref.Host() + " does not answer; the image is kept here")
			return r.ready(ctx, here, ref.String())
		}
	}
	if err != nil {
		return workspace.Ready{}, err
	}
	pin := ref.At(found.Digest)
	here, err = r.inspect(ctx, pin)
	if notFound(err) {
		if err = r.once(ctx, pin, func(ctx context.Context) error { return r.load(ctx, o, ref, found, progress) }); err != nil {
			return workspace.Ready{}, err
		}
		here, err = r.inspect(ctx, pin)
	}
	if err != nil {
		return workspace.Ready{}, r.failed("look for the image "+o.Ref, err)
	}
	r.used(here.ID)
	return r.ready(ctx, here, pin)
}

// silent reports whether a registry could not be asked, and did not refuse.
func silent(err error) bool {
	k := problem.KindOf(err)
	return k == problem.BadUpstream || k == problem.SlowUpstream || k == problem.Unavailable
}

// message is a line of what the engine says of a pull or a build.
type message struct {
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Stream string          `json:"stream"`
	Error  string          `json:"error"`
	Aux    json.RawMessage `json:"aux"`
}

// follow reads lines of messages until they end; the error is the engine's, if it says one.
func follow(from io.Reader, each func(message)) error {
	lines := json.NewDecoder(from)
	for {
		var m message
		err := lines.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("docker: what the engine says: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		}
		each(m)
	}
}

// pinned is an image's name with its digest; its ID where it has none.
func pinned(im engineimage.InspectResponse, ref image.Reference) string {
	for _, d := range im.RepoDigests {
		if _, digest, ok := strings.Cut(d, "@"); ok {
			if at := ref.At(digest); slices.ContainsFunc(im.RepoDigests, func(s string) bool { return sameName(s, at) }) {
				return d
			}
		}
	}
	return im.ID
}

// sameName compares names of which one may have left out the host.
func sameName(short, whole string) bool {
	parsed, err := image.ParseReference(short)
	return err == nil && parsed.String() == whole
}

// digestOf is the digest in a pinned name.
func digestOf(ref string) string {
	if _, digest, ok := strings.Cut(ref, "@"); ok {
		return digest
	}
	return ref
}

// ready says what an image says of itself.
func (r *Runtime) ready(ctx context.Context, im engineimage.InspectResponse, ref string) (workspace.Ready, error) {
	ready := workspace.Ready{Image: workspace.Image{Ref: ref}, Env: map[string]string{}}
	if im.Config != nil {
		ready.User, ready.Metadata = im.Config.User, im.Config.Labels[metadataLabel]
		for _, kv := range im.Config.Env {
			if k, v, ok := strings.Cut(kv, "="); ok {
				ready.Env[k] = v
			}
		}
	}
	root, err := r.people(ctx, im.ID)
	if err != nil {
		return workspace.Ready{}, err
	}
	ready.Users = image.UserNames(root)
	return ready, nil
}

// builtKey is the key of what an image was built from by a server like this one; empty: it was not.
func builtKey(im engineimage.InspectResponse) string {
	if im.Config == nil {
		return ""
	}
	return im.Config.Labels[labelBuilt]
}
