package sandbox

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Exporter = (*Runtime)(nil)

// maxExportPath is how long a path may be; what lies deeper no program reads by its name.
const maxExportPath = 4096

// Export implements workspace.Exporter. The workspace cannot start meanwhile.
func (r *Runtime) Export(ctx context.Context, id identity.WorkspaceID, w io.Writer) error {
	defer r.lock(id)()
	root, err := os.OpenRoot(filepath.Join(r.dir(id), "files"))
	if err != nil {
		return fmt.Errorf("sandbox: export %s: %w", id, err)
	}
	defer root.Close()
	archive := tar.NewWriter(w)
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case path == ".":
			return nil
		case len(path) > maxExportPath:
			r.log.Warn("a path that is too long is not exported", "workspace", id)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return export(archive, root, path, d)
	})
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("sandbox: export %s: %w", id, err)
	}
	return nil
}

// export writes one entry; pipes, sockets and devices are left out.
func export(archive *tar.Writer, root *os.Root, path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		if link, err = root.Readlink(path); err != nil {
			return err
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = strings.ToValidUTF8("workspace/"+path, "?"), 0, 0, "", ""
	h.Format = tar.FormatPAX
	if info.IsDir() {
		h.Name += "/"
	}
	if err := archive.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(archive, f, info.Size())
	return err
}
