package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

var _ workspace.Exporter = (*Runtime)(nil)

// unknownDisk is how much is exported where the engine's disk is not this machine's, in bytes.
const unknownDisk = 256 << 30

// Export implements workspace.Exporter: the server reads the volume, where it may, or else the engine does. The workspace cannot start
// meanwhile.
func (r *Runtime) Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	defer r.lock(id)()
	dir, err := r.readable(ctx, id)
	if err != nil {
		return err
	}
	if dir == "" {
		return r.exportByEngine(ctx, id, w)
	}
	if err := space.Archive(ctx, dir, w); err != nil {
		return fmt.Errorf("docker: export %s: %w", id, err)
	}
	return nil
}

// readable is the folder of a workspace's checkouts on this machine; empty: it is not here, or this server may not look into it.
func (r *Runtime) readable(ctx context.Context, id identity.WorkspaceID) (string, error) {
	v, err := r.engine.VolumeInspect(ctx, volumeName(id, partFiles))
	if notFound(err) {
		return "", problem.New(problem.Conflict, "The workspace %s has no volume of checkouts, so there are no files to read.", id)
	}
	if err != nil {
		return "", r.failed("look for the volume of "+string(id), err)
	}
	d, err := os.Open(v.Mountpoint)
	if err != nil {
		return "", nil // the engine may
	}
	return v.Mountpoint, d.Close()
}

// exportByEngine has the engine read the volume of a container that does not run. It sends holes as zeros.
func (r *Runtime) exportByEngine(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	own, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return err
	}
	if len(own) == 0 {
		return problem.New(problem.Conflict, "The workspace %s has no container, so its files cannot be read.", id)
	}
	m, err := r.machineOf(ctx)
	if err != nil {
		return err
	}
	disk := int64(unknownDisk)
	if s, err := space.At(m.root); err == nil { // which a server may that may not look inside
		disk = s.Size
	}
	archive, _, err := r.engine.CopyFromContainer(ctx, own[0].ID, workspaceFolder)
	if err != nil {
		return r.failed("read the files of "+string(id), err)
	}
	defer archive.Close()
	if err := passOn(archive, w, disk); err != nil {
		return fmt.Errorf("docker: export %s: %w", id, err)
	}
	return nil
}

// passOn passes on an archive until its files together are larger than the disk that they lie on: there is a file of holes then,
// which would go on as zeros for terabytes, and what comes after it cannot be had.
func passOn(archive io.Reader, w io.Writer, disk int64) error {
	in, out, left := tar.NewReader(archive), tar.NewWriter(w), space.LeftOut{}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return left.End(out)
		}
		if err != nil {
			return err
		}
		if h.Size > disk {
			left.Add(h.Name, fmt.Sprintf("it claims %d bytes, which is more than the disk has for all. It and all that comes after it in this archive is not here; a server that runs as root leaves out such files alone", h.Size))
			return left.End(out)
		}
		disk -= h.Size
		h.Format = tar.FormatPAX
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}
