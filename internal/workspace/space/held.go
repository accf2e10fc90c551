package space

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// OfWorkspace is what the files of a workspace take: those below some folders, and those without a name that its processes, of which
// first is process 1 (0: none runs), still have. It ends as Of does.
func OfWorkspace(ctx context.Context, first int, paths []string, most workspace.DiskUse) workspace.DiskUse {
	if first == 0 {
		return Of(ctx, paths, most)
	}
	c := counting{ctx: ctx, most: most, bounds: bounds{maxNames, maxDepth, maxLinked}, linked: map[[2]uint64]struct{}{}}
	c.held(first, paths)
	for _, path := range paths {
		c.tree(path)
	}
	return c.use
}

// held counts what files take that have no name any more, or never had one, and that processes have open or mapped: no walk finds
// them, and their room is given back when the last of those processes ends. Files count that lie where one of the paths does, or in
// the overlay that process 1 has as its root.
func (c *counting) held(first int, paths []string) {
	devices := map[uint64]bool{}
	for _, path := range paths {
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			devices[st.Dev] = true
		}
	}
	root := "/proc/" + strconv.Itoa(first) + "/root"
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Statfs(root, &fs) == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC && unix.Stat(root, &st) == nil {
		devices[st.Dev] = true // what is open there tells the overlay's device, not that of the file below
	}
	processes(map[int]int{first: first}, func(_ int, proc string) {
		c.each(proc+"/fd", func(file string) { c.nameless(file, devices) })
		c.each(proc+"/task", func(thread string) {
			if !sameFiles(filepath.Base(proc), filepath.Base(thread)) {
				c.each(thread+"/fd", func(file string) { c.nameless(file, devices) })
			}
		})
		c.mapped(proc, devices)
	})
}

// each calls visit with every entry of a folder of /proc.
func (c *counting) each(dir string, visit func(string)) {
	folder, err := os.Open(dir)
	if err != nil {
		return // the process has ended, or is not ours to look at
	}
	defer folder.Close()
	for {
		names, err := folder.Readdirnames(batch)
		for _, name := range names {
			if c.ended() {
				return
			}
			visit(dir + "/" + name)
		}
		if err != nil || len(names) == 0 {
			return
		}
	}
}

// mapped counts what a process has mapped and no longer open.
func (c *counting) mapped(proc string, devices map[uint64]bool) {
	f, err := os.Open(proc + "/maps")
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan() && !c.ended(); {
		if line := lines.Bytes(); bytes.HasSuffix(line, []byte(" (deleted)")) {
			at, _, _ := bytes.Cut(line, []byte(" "))
			c.nameless(proc+"/map_files/"+string(at), devices)
		}
	}
}

// sameFiles reports whether a thread has the same open files as its process (kcmp(2), KCMP_FILES), as all have that did not ask for
// their own; also where the kernel does not say.
func sameFiles(process, thread string) bool {
	a, _ := strconv.Atoi(process)
	b, _ := strconv.Atoi(thread)
	const files = 2
	order, _, failed := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), files, 0, 0, 0)
	return a == b || failed != 0 || order == 0
}

// queued reports whether descriptors lie in a socket of an open file, sent and not received: they are nowhere to be seen (proc(5),
// fdinfo; net/unix/af_unix.c, unix_show_fdinfo).
func queued(path string) bool {
	dir, fd := filepath.Split(path)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Clean(dir)), "fdinfo", fd))
	_, rest, ok := bytes.Cut(text, []byte("scm_fds:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n := string(bytes.TrimSpace(line))
	return err == nil && ok && n != "0"
}

// nameless counts what an open file takes, if it has no name.
func (c *counting) nameless(path string, devices map[uint64]bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE|unix.STATX_NLINK|unix.STATX_INO|unix.STATX_BLOCKS, &st)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		c.use.Hidden = c.use.Hidden || queued(path)
		return
	}
	device := unix.Mkdev(st.Dev_major, st.Dev_minor)
	if err != nil || st.Nlink > 0 || !devices[device] {
		return
	}
	key := [2]uint64{device, st.Ino}
	if _, seen := c.linked[key]; seen {
		return
	}
	if len(c.linked) >= c.bounds.linked {
		c.use.More = true
		return
	}
	c.linked[key] = struct{}{}
	c.use.Bytes += int64(st.Blocks) * 512 // statx(2)
	c.use.Files++
}
