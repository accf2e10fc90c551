package docker

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// roomFor refuses to go on fetching an image for which a disk has no room: beside so many bytes more, that is, what workspaces leave
// free. What cannot be looked at from here is not judged.
func (r *Runtime) roomFor(ctx context.Context, ref string) func(bytes int64) error {
	return func(bytes int64) error {
		spaces, err := r.Spaces(ctx)
		if err != nil {
			r.log.Debug("docker: how much room there is for an image is not known", "err", err)
			return nil
		}
		for _, s := range spaces {
			if s.Spare() < bytes {
				return problem.New(problem.Unavailable, "The disk of this machine has no room for the image %s: it wants %d MiB more, and %d MiB are free. Choose a smaller image, or ask an administrator to make room.", ref, bytes>>20, s.Free>>20)
			}
		}
		return nil
	}
}
