package workspace

import (
	"context"
	"io"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Exporter is a Runtime that can hand out the checkouts of a workspace that does not run.
type Exporter interface {
	// Export writes what is below /workspace as a tar archive, as it is: links are named, never followed.
	Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error
}

// Export writes the checkouts of a stopped workspace as a tar archive. Who may have it was decided before.
func (m *Manager) Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	row, ok := m.Get(id)
	if !ok {
		return problem.New(problem.NotFound, "There is no workspace %s.", id)
	}
	runtime, can := m.c.Runtime.(Exporter)
	switch {
	case !m.mine(row):
		return problem.New(problem.Conflict, "The files of %s are at the replica of node %s. Ask there.", id, row.Node)
	case !can:
		return problem.New(problem.Unavailable, "The runtime %s does not hand out files of workspaces.", m.c.Runtime.Name())
	case row.Phase != Stopped || row.Desired != WantStopped:
		return problem.New(problem.Conflict, "The workspace %s is not stopped. Stop it first.", id)
	}
	return runtime.Export(ctx, id, w)
}
