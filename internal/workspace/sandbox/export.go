package sandbox

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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
	x := &exporting{archive: tar.NewWriter(w), root: root}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			x.leaveOut(path, "it cannot be read")
			return fs.SkipDir
		case path == ".":
			return nil
		case len(path) > maxExportPath:
			x.leaveOut(path[:maxExportPath], "its path is too long")
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return x.write(path, d)
	})
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		return fmt.Errorf("sandbox: export %s: %w", id, err)
	}
	return nil
}

// leftOutFile lists in an archive what is not in it, beside the folder with what is.
const leftOutFile = "NOT-EXPORTED.txt"

// maxLeftOut bounds that list, in lines.
const maxLeftOut = 10_000

// exporting is an archive that is being written.
type exporting struct {
	archive *tar.Writer
	root    *os.Root
	leftOut []string
	more    int // that the list has no room for
}

func (x *exporting) leaveOut(path, why string) {
	if len(x.leftOut) == maxLeftOut {
		x.more++
		return
	}
	x.leftOut = append(x.leftOut, strconv.QuoteToGraphic("workspace/"+path)+": "+why)
}

func (x *exporting) finish() error {
	if x.more > 0 {
		x.leftOut = append(x.leftOut, fmt.Sprintf("and %d more", x.more))
	}
	if len(x.leftOut) > 0 {
		text := strings.Join(x.leftOut, "\n") + "\n"
		if err := x.archive.WriteHeader(&tar.Header{Name: leftOutFile, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := io.WriteString(x.archive, text); err != nil {
			return err
		}
	}
	return x.archive.Close()
}

// write writes one entry; pipes, sockets and devices are left out.
func (x *exporting) write(path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		x.leaveOut(path, "it cannot be read")
		return nil
	}
	link := ""
	var f *os.File
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		if link, err = x.root.Readlink(path); err != nil {
			x.leaveOut(path, "it cannot be read")
			return nil
		}
	case info.Mode().IsRegular():
		if hollow(info) {
			x.leaveOut(path, fmt.Sprintf("of its %d bytes nearly all are holes", info.Size()))
			return nil
		}
		if f, err = x.root.Open(path); err != nil {
			x.leaveOut(path, "it cannot be read")
			return nil
		}
		defer f.Close()
	case !info.IsDir():
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
	if err := x.archive.WriteHeader(h); err != nil || f == nil {
		return err
	}
	_, err = io.CopyN(x.archive, f, info.Size())
	return err
}

// hollow reports whether a file claims far more bytes than it has on disk: an archive would hold the claim, which may be
// eight exabytes of zeros. File systems that compress, or keep small files elsewhere, are given room.
func hollow(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Size() > 64<<10 && info.Size()/16 > st.Blocks*512
}
