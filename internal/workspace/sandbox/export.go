package sandbox

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

var _ workspace.Exporter = (*Runtime)(nil)

// Export implements workspace.Exporter. The workspace cannot start meanwhile.
func (r *Runtime) Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	defer r.lock(id)()
	if err := space.Archive(ctx, filepath.Join(r.dir(id), "files"), w); err != nil {
		return fmt.Errorf("sandbox: export %s: %w", id, err)
	}
	return nil
}
