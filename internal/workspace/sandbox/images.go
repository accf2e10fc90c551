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
	if r.images == nil {
		return workspace.Ready{}, problem.New(problem.Unavailable, "This server's sandbox has no store of images.")
	}
	return r.images.Pull(ctx, o, progress)
}

// Build implements workspace.Images: it refuses, since the steps of a Dockerfile want a root that the sandbox does not have.
func (r *Runtime) Build(context.Context, workspace.BuildOrder, func(string)) (workspace.Ready, error) {
	return workspace.Ready{}, problem.New(problem.Invalid, "The sandbox builds no images from a Dockerfile, and adds no features to one; the docker runtime does. Name an image that is built elsewhere, or let an administrator configure runtimes.docker.")
}

// CollectImages removes the images that no workspace runs and that nobody used for that long, and more of them while all
// together are larger than size bytes (0: any size).
func (r *Runtime) CollectImages(ctx context.Context, age time.Duration, size int64) (freed int64, err error) {
	if r.images == nil {
		return 0, nil
	}
	all, err := r.List(ctx)
	if err != nil {
		return 0, err
	}
	o := image.CollectOrder{Age: age, Size: size}
	for _, w := range all {
		// One that is stopped begins anew at its next start, which asks for the image again.
		if s, err := readState(r.dir(w.ID)); err == nil && s.Files != "" && w.Running {
			o.Used = append(o.Used, s.Files)
		}
	}
	return r.images.Collect(ctx, o)
}
