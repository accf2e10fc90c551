package docker

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Beginner = (*Runtime)(nil)

// Begin implements workspace.Beginner: it makes the agent's copy, asks how the engine is set up, and makes the volumes that every
// workspace has. Whose they are, and the tunnel's folder, the image's user says.
func (r *Runtime) Begin(ctx context.Context, spec workspace.Spec, progress func(string)) (fresh bool, err error) {
	defer r.lock(spec.ID)()
	if _, err := r.machineOf(ctx); err != nil {
		return false, err
	}
	made, had, err := r.makeVolumes(ctx, spec, progress)
	return made > 0 && !had, err
}
