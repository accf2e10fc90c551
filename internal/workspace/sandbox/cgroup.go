package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// controllers are the parts of control groups that bound a workspace.
var controllers = []string{"cpu", "memory", "pids"}

// cpuPeriod is the time in which a workspace's share of processors is counted, in microseconds.
const cpuPeriod = 100_000

// controlGroup is the control group of a workspace. Of version 2 (Documentation/admin-guide/cgroup-v2.rst) it is one folder, under
// the key ""; of version 1 one for each controller.
type controlGroup map[string]string

// errNoGroups is why a machine's control groups cannot be used.
var errNoGroups = errors.New("no control groups that this server may use for cpu, memory and pids")

// makeGroup makes the control group of a workspace, or finds it again, and bounds it.
func makeGroup(proc, label string, l workspace.Limits) (controlGroup, error) {
	if os.Geteuid() != 0 {
		return nil, errNoGroups
	}
	places, err := findGroups(proc)
	if err != nil {
		return nil, err
	}
	g := controlGroup{}
	for controller, at := range places {
		dir := filepath.Join(at, "lanyard-"+label)
		if controller == "" {
			dir = filepath.Join(at, "lanyard", label)
			if err := delegate(at); err != nil {
				return nil, fmt.Errorf("%w: %w", errNoGroups, err)
			}
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("%w: %w", errNoGroups, err), g.remove())
		}
		g[controller] = dir
	}
	if err := g.bound(l); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// delegate makes the group of all workspaces (version 2), and passes the controllers down to it and to what is in it. It
// stands below the root of the tree that this server sees, as engines of containers do it: only the root may hold processes
// beside groups.
func delegate(root string) error {
	all := filepath.Join(root, "lanyard")
	if err := os.Mkdir(all, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, dir := range []string{root, all} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+strings.Join(controllers, " +")), 0); err != nil {
			return err
		}
	}
	return nil
}

// findGroups finds where control groups can be made: by controller (version 1), or under "" (version 2).
func findGroups(proc string) (controlGroup, error) {
	mounts, err := os.ReadFile(filepath.Join(proc, "self/mountinfo"))
	if err != nil {
		return nil, err
	}
	own, err := ownGroups(proc)
	if err != nil {
		return nil, err
	}
	first := controlGroup{}
	for line := range strings.Lines(string(mounts)) {
		// 36 35 98:0 /root /mount options … - type source options (proc_pid_mountinfo(5))
		before, after, ok := strings.Cut(line, " - ")
		f, t := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(t) < 3 {
			continue
		}
		root, mount := f[3], f[4]
		switch t[0] {
		case "cgroup2":
			has, _ := os.ReadFile(filepath.Join(mount, "cgroup.controllers")) // without them it is not this one
			if fields := strings.Fields(string(has)); !slices.ContainsFunc(controllers, func(c string) bool { return !slices.Contains(fields, c) }) {
				return controlGroup{"": mount}, nil
			}
		case "cgroup":
			for _, c := range append([]string{"cpuacct"}, controllers...) {
				path, there := own[c]
				if slices.Contains(strings.Split(t[2], ","), c) && there && first[c] == "" {
					first[c] = filepath.Join(mount, strings.TrimPrefix(path, strings.TrimSuffix(root, "/")))
				}
			}
		}
	}
	for _, c := range controllers {
		if first[c] == "" {
			return nil, errNoGroups
		}
	}
	return first, nil
}

// ownGroups are the groups that this server is in, by controller (cgroups(7)).
func ownGroups(proc string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(proc, "self/cgroup"))
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			for c := range strings.SplitSeq(f[1], ",") {
				own[c] = f[2]
			}
		}
	}
	return own, nil
}

// bound writes the limits; a zero one is none.
func (g controlGroup) bound(l workspace.Limits) error {
	number := func(n int64, none string) string {
		if n == 0 {
			return none
		}
		return strconv.FormatInt(n, 10)
	}
	quota := number(int64(l.CPUs*cpuPeriod), "")
	type setting struct{ controller, file, value string }
	settings := []setting{
		{"memory", "memory.limit_in_bytes", number(l.Memory, "-1")}, {"memory", "memory.memsw.limit_in_bytes", number(l.Memory, "-1")},
		{"pids", "pids.max", number(l.Processes, "max")},
		{"cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod)}, {"cpu", "cpu.cfs_quota_us", number(int64(l.CPUs*cpuPeriod), "-1")},
	}
	if _, unified := g[""]; unified {
		if quota == "" {
			quota = "max"
		}
		settings = []setting{
			{"", "memory.max", number(l.Memory, "max")}, {"", "memory.swap.max", "0"},
			{"", "pids.max", number(l.Processes, "max")}, {"", "cpu.max", quota + " " + strconv.Itoa(cpuPeriod)},
		}
	}
	for _, s := range settings {
		err := os.WriteFile(filepath.Join(g[s.controller], s.file), []byte(s.value), 0)
		if errors.Is(err, fs.ErrNotExist) && (strings.Contains(s.file, "swap") || strings.Contains(s.file, "memsw")) {
			continue // a kernel that does not count swap
		}
		if err != nil {
			return fmt.Errorf("control group: %w", err)
		}
	}
	return nil
}

// start starts a command as a member of the group, so that nothing it does is outside of it.
func (g controlGroup) start(cmd *exec.Cmd) error {
	if len(g) == 0 {
		return cmd.Start()
	}
	if dir, unified := g[""]; unified {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(d.Fd())
		return cmd.Start()
	}
	// In version 1 a thread may be in a group of its own, and what it starts begins there.
	var err error
	onThread(func(thread int) { err = g.startFrom(thread, cmd) })
	return err
}

// onThread runs f on a thread of this process that ends with it. It is never the first one, which does not end, and where that
// one is the whole process counts as being: the server would be bounded, and be ended, as a workspace.
func onThread(f func(thread int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and not given back: so it ends
		if thread := unix.Gettid(); thread != os.Getpid() {
			f(thread)
			return
		}
		onThread(f) // another one, since this one is held meanwhile
		runtime.UnlockOSThread()
	}()
	<-done
}

func (g controlGroup) startFrom(thread int, cmd *exec.Cmd) error {
	for _, dir := range g {
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(thread)), 0); err != nil {
			return fmt.Errorf("control group: %w", err)
		}
	}
	return cmd.Start()
}

// remove removes the group, in which nothing runs any more; the kernel may take a moment to see that.
func (g controlGroup) remove() error {
	var all []error
	for _, dir := range g {
		var err error
		for range 100 {
			if err = os.Remove(dir); !errors.Is(err, syscall.EBUSY) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// use is what the group's processes use now; ok is false when it cannot be said.
func (g controlGroup) use() (f workspace.Figures, ok bool) {
	if dir, unified := g[""]; unified {
		f.CPU = time.Duration(fieldOf(dir, "cpu.stat", "usage_usec")) * time.Microsecond
		f.Memory = max(0, numberIn(dir, "memory.current")-fieldOf(dir, "memory.stat", "inactive_file"))
		f.Processes = numberIn(dir, "pids.current")
		return f, f.Processes > 0
	}
	f.CPU = time.Duration(numberIn(g["cpuacct"], "cpuacct.usage"))
	f.Memory = max(0, numberIn(g["memory"], "memory.usage_in_bytes")-fieldOf(g["memory"], "memory.stat", "total_inactive_file"))
	f.Processes = numberIn(g["pids"], "pids.current")
	return f, f.Processes > 0
}

// numberIn reads a file that holds one number; 0 when it does not.
func numberIn(dir, file string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// fieldOf reads one number of a file of "name number" lines; 0 when it is not there.
func fieldOf(dir, file, name string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
