package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Meter = (*Runtime)(nil)

// Measure implements workspace.Meter. Without a control group what has ended is not counted.
func (r *Runtime) Measure(ctx context.Context, id identity.WorkspaceID) (workspace.Figures, error) {
	dir := r.dir(id)
	s, err := readState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return workspace.Figures{}, nil
	}
	if err != nil {
		return workspace.Figures{}, err
	}
	var f workspace.Figures
	if s.Process.alive() {
		var ok bool
		if f, ok = s.Groups.use(); len(s.Groups) == 0 || !ok {
			f = useOf(s.Process.PID)
		}
	}
	return f, context.Cause(ctx)
}

// ticks is the unit of processor time in /proc, a fixed part of Linux's interface (sysconf(3), _SC_CLK_TCK).
const ticks = 100

// useOf adds up the processes that see what process 1 of a workspace sees.
func useOf(first int) (f workspace.Figures) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return f
	}
	space, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(first), "ns/pid"))
	if err != nil {
		return f
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if other, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns/pid")); err != nil || other != space {
			continue
		}
		st, err := readStat(pid)
		if err != nil {
			continue // it has ended
		}
		f.Processes++
		f.CPU += time.Duration(st.time) * time.Second / ticks
		f.Memory += int64(st.pages) * int64(os.Getpagesize())
	}
	return f
}
