package space

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	maxArchivePath = 4096 // how long a path may be; what lies deeper no program reads by its name
	archiveBatch   = 32   // names of a folder that are read at a time: all of them may be more than there is memory for
)

// Archive writes what is below a folder as a tar archive, named below workspace/: links are named, never followed. What it leaves
// out (what cannot be read, or is nearly all holes) it lists in NOT-EXPORTED.txt. Nobody may write there meanwhile.
func Archive(ctx context.Context, dir string, w io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &archiving{archive: tar.NewWriter(w), root: root}
	if err := x.folder(ctx, ".", maxDepth); err != nil {
		return err
	}
	return x.End(x.archive)
}

// archiving is an archive that is being written.
type archiving struct {
	LeftOut
	archive *tar.Writer
	root    *os.Root
}

// folder writes what is in a folder, and in folders in it until there are depth of them.
func (x *archiving) folder(ctx context.Context, path string, depth int) error {
	if depth == 0 {
		x.Add("workspace/"+path, "it lies too deep")
		return nil
	}
	d, err := x.root.Open(path)
	if err != nil {
		x.Add("workspace/"+path, "it cannot be read")
		return nil
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(archiveBatch)
		for _, name := range names {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if path != "." {
				name = path + "/" + name
			}
			if len(name) > maxArchivePath {
				x.Add("workspace/"+name[:maxArchivePath], "its path is too long")
				continue
			}
			folder, err := x.write(name)
			if err == nil && folder {
				err = x.folder(ctx, name, depth-1)
			}
			if err != nil {
				return err
			}
		}
		if err != nil || len(names) == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				x.Add("workspace/"+path, "not all of it can be read")
			}
			return nil
		}
	}
}

// write writes one entry; pipes, sockets and devices are left out.
func (x *archiving) write(path string) (folder bool, err error) {
	info, err := x.root.Lstat(path)
	if err != nil {
		x.Add("workspace/"+path, "it cannot be read")
		return false, nil
	}
	link := ""
	var f *os.File
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		if link, err = x.root.Readlink(path); err != nil {
			x.Add("workspace/"+path, "it cannot be read")
			return false, nil
		}
	case info.Mode().IsRegular():
		if hollow(info) {
			x.Add("workspace/"+path, fmt.Sprintf("of its %d bytes nearly all are holes", info.Size()))
			return false, nil
		}
		if f, err = x.root.Open(path); err != nil {
			x.Add("workspace/"+path, "it cannot be read")
			return false, nil
		}
		defer f.Close()
	case !info.IsDir():
		return false, nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return false, err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = strings.ToValidUTF8("workspace/"+path, "?"), 0, 0, "", ""
	h.Format = tar.FormatPAX
	if info.IsDir() {
		h.Name += "/"
	}
	if err := x.archive.WriteHeader(h); err != nil || f == nil {
		return info.IsDir(), err
	}
	_, err = io.CopyN(x.archive, f, info.Size())
	return false, err
}

// hollow reports whether a file claims far more bytes than it has on disk: an archive would hold the claim, which may be
// eight exabytes of zeros. File systems that compress, or keep small files elsewhere, are given room.
func hollow(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Size() > 64<<10 && info.Size()/16 > st.Blocks*512
}

// leftOutFile lists in an archive what is not in it, beside the folder with what is.
const leftOutFile = "NOT-EXPORTED.txt"

// maxLeftOut bounds that list, in lines.
const maxLeftOut = 10_000

// LeftOut is what an archive does not hold.
type LeftOut struct {
	lines []string
	more  int // that the list has no room for
}

// Add notes a path, and why it is not in the archive.
func (l *LeftOut) Add(path, why string) {
	if len(l.lines) == maxLeftOut {
		l.more++
		return
	}
	l.lines = append(l.lines, strconv.QuoteToGraphic(path)+": "+why)
}

// End ends an archive, with the list where there is anything on it.
func (l *LeftOut) End(archive *tar.Writer) error {
	lines := l.lines
	if l.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", l.more))
	}
	if len(lines) > 0 {
		text := strings.Join(lines, "\n") + "\n"
		if err := archive.WriteHeader(&tar.Header{Name: leftOutFile, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, text); err != nil {
			return err
		}
	}
	return archive.Close()
}
