package server

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// prepare says what a workspace runs and how it is set up.
func (s *Server) prepare(ctx context.Context, row workspace.Workspace, say workspace.Say) (workspace.Prepared, error) {
	return workspace.Prepared{Setup: s.setup(row)}, nil
}
