package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Exporter = (*Runtime)(nil)

// Export implements workspace.Exporter: the engine reads the volume of a container that does not run. The workspace cannot
// start meanwhile.
func (r *Runtime) Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	defer r.lock(id)()
	own, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return err
	}
	if len(own) == 0 {
		return problem.New(problem.Conflict, "The workspace %s has no container, so its files cannot be read.", id)
	}
	archive, _, err := r.engine.CopyFromContainer(ctx, own[0].ID, "/workspace")
	if err != nil {
		return r.failed("read the files of "+string(id), err)
	}
	defer archive.Close()
	if _, err := io.Copy(w, archive); err != nil {
		return fmt.Errorf("docker: export %s: %w", id, err)
	}
	return nil
}
