package sandbox

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Images = (*Runtime)(nil)

// Pull implements workspace.Images.
func (r *Runtime) Pull(ctx context.Context, o workspace.PullOrder, progress func(string)) (workspace.Ready, error) {
	if o.Ref == "" {
		return workspace.Ready{}, nil // the machine's own files
	}
	if r.images == nil {
		return workspace.Ready{}, problem.New(problem.Unavailable, "This server's sandbox has no store of images.")
	}
	return r.images.Pull(ctx, o, progress)
}

// Build implements workspace.Images: it refuses, since the steps of a Dockerfile want a root that the sandbox does not have.
func (r *Runtime) Build(context.Context, workspace.BuildOrder, func(string)) (workspace.Ready, error) {
	return workspace.Ready{}, problem.New(problem.Invalid, "The sandbox builds no images from a Dockerfile, and adds no features to one; the docker runtime does. Name an image that is built elsewhere, or let an administrator configure runtimes.docker.")
}

// How often images are looked through, how long one is kept that nobody uses, and how many bytes of all.
const (
	collectEvery = time.Hour
	keepUnused   = 14 * 24 * time.Hour
	keepBytes    = 128 << 30 // twice the largest image that is taken
)

// collectImages removes the images that no workspace runs and that nobody wanted for a while.
func (r *Runtime) collectImages(ctx context.Context) {
	if r.images == nil {
		return
	}
	all, err := r.List(ctx)
	if err != nil {
		r.log.Error("sandbox: images that are not used cannot be found", "err", err)
		return
	}
	o := image.CollectOrder{Age: keepUnused, Size: keepBytes}
	for _, w := range all {
		// One that is stopped begins anew at its next start, which asks for the image again.
		if s, err := readState(r.dir(w.ID)); err == nil && s.Files != "" && w.Running {
			o.Used = append(o.Used, s.Files)
		}
	}
	if _, err := r.images.Collect(ctx, o); err != nil {
		r.log.Error("sandbox: images that are not used cannot be removed", "err", err)
	}
}
