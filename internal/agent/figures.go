package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const (
	cgroupRoot = "/sys/fs/cgroup" // a workspace sees its own there, if any
	clockTick  = 100              // USER_HZ, the unit of times in /proc, is 100 on all of Linux's machines (time(7))

	diskEvery  = time.Minute     // how often files are counted, at most
	diskWithin = 5 * time.Second // what was counted by then stands
)

// figures measures the workspace. Counting files takes long, so it is done now and then.
type figures struct {
	mu      sync.Mutex
	disk    int64
	counted time.Time
}

func (f *figures) measure(a *Agent) agentapi.Figures {
	now := agentapi.Figures{At: time.Now()}
	now.CPU, now.Memory, now.Processes = processes()
	controlled(cgroupRoot, &now)
	a.mu.Lock()
	given := a.env
	a.mu.Unlock()
	if now.CPULimit == 0 {
		now.CPULimit, _ = strconv.ParseFloat(given["GITPOD_CPU_COUNT"], 64) // what no file says is not known
	}
	if now.MemoryLimit == 0 {
		mib, _ := strconv.ParseInt(given["GITPOD_MEMORY"], 10, 64) // as above
		now.MemoryLimit = mib << 20
	}
	var s unix.Statfs_t
	if unix.Statfs(a.config.Workspace, &s) == nil {
		now.DiskFree = int64(s.Bavail) * s.Bsize
	}
	now.Disk = f.files(a.config.Home, a.config.Workspace)
	return now
}

// controlled reads what a cgroup of version 2 says, where one is seen.
func controlled(root string, f *agentapi.Figures) {
	number := func(name string) (int64, bool) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return n, err == nil // "max" is no limit
	}
	memory, ok := number("memory.current")
	if !ok {
		return
	}
	if cache, ok := statOf(filepath.Join(root, "memory.stat"), "inactive_file"); ok {
		memory = max(0, memory-cache) // files that the kernel can drop at once are nobody's need
	}
	f.Memory = memory
	f.MemoryLimit, _ = number("memory.max")
	if n, ok := number("pids.current"); ok {
		f.Processes = int(n)
	}
	if usec, ok := statOf(filepath.Join(root, "cpu.stat"), "usage_usec"); ok {
		f.CPU = time.Duration(usec) * time.Microsecond
	}
	if text, err := os.ReadFile(filepath.Join(root, "cpu.max")); err == nil {
		quota, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		q, e := strconv.ParseFloat(quota, 64)
		p, err := strconv.ParseFloat(period, 64)
		if e == nil && err == nil && p > 0 {
			f.CPULimit = q / p
		}
	}
}

// statOf finds "name number" among lines of that form.
func statOf(path, name string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// processes sums up the processes that are seen here: their time with that of those they waited for, the memory that is
// theirs alone (proc_pid_statm(5)), and their threads.
func processes() (cpu time.Duration, memory int64, threads int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, 0, 0
	}
	page := int64(os.Getpagesize())
	var ticks int64
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
		fields := strings.Fields(rest)
		if len(fields) < 18 {
			continue
		}
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime (proc_pid_stat(5))
			n, _ := strconv.ParseInt(fields[i], 10, 64)
			ticks += n
		}
		n, _ := strconv.Atoi(fields[17])
		threads += n
		if statm, err := os.ReadFile(filepath.Join("/proc", e.Name(), "statm")); err == nil {
			if pages := strings.Fields(string(statm)); len(pages) > 2 {
				resident, _ := strconv.ParseInt(pages[1], 10, 64)
				shared, _ := strconv.ParseInt(pages[2], 10, 64)
				memory += (resident - shared) * page
			}
		}
	}
	return time.Duration(ticks) * (time.Second / clockTick), memory, threads
}

// files is the size of all files in these folders, each counted by the blocks it takes.
func (f *figures) files(dirs ...string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.counted) < diskEvery {
		return f.disk
	}
	until := time.Now().Add(diskWithin)
	f.disk = 0
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // what cannot be read is not counted
			if time.Now().After(until) {
				return fs.SkipAll
			}
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil {
				if s, ok := info.Sys().(*syscall.Stat_t); ok {
					f.disk += s.Blocks * 512 // stat(2)
				}
			}
			return nil
		})
	}
	f.counted = time.Now()
	return f.disk
}
