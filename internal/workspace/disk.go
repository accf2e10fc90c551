package workspace

import (
	"context"
	"fmt"
	"time"
)

const (
	diskEvery = time.Minute      // how often what workspaces have on disk is measured
	diskGrace = 10 * time.Minute // how long one may be beyond its bound, to make room
	diskMost  = 2                // times its bound, at which there is no grace
)

// keepDisk measures what workspaces have on disk until ctx ends. It takes as long as walking through their files does.
func (m *Manager) keepDisk(ctx context.Context, meter Meter) {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.measureDisk(ctx, meter)
		}
	}
}

// measureDisk warns workspaces that have more on disk than their class allows, and stops those that stay so.
func (m *Manager) measureDisk(ctx context.Context, meter Meter) {
	for _, row := range m.List() {
		if ctx.Err() != nil {
			return
		}
		if !m.mine(row) || row.Phase != Running || row.Desired != WantRunning {
			continue
		}
		class, err := m.class(row)
		if err != nil || class.Disk == 0 {
			continue
		}
		f, err := meter.Measure(ctx, row.ID)
		if err != nil {
			m.c.Log.Warn("what a workspace has on disk is not known", "workspace", row.ID, "error", err)
			continue
		}
		m.overDisk(ctx, row, f.Disk, class.Disk)
	}
}

func (m *Manager) overDisk(ctx context.Context, row Workspace, has, may int64) {
	now := m.c.Now()
	m.mu.Lock()
	e := m.entries[row.ID]
	if e == nil {
		m.mu.Unlock()
		return
	}
	if has <= may {
		e.over = time.Time{}
		m.mu.Unlock()
		return
	}
	first := e.over.IsZero()
	if first {
		e.over = now
	}
	end := has >= diskMost*may || now.Sub(e.over) >= diskGrace
	why := fmt.Sprintf("it has %s on disk, and its class allows %s", gibibytes(has), gibibytes(may))
	text := fmt.Sprintf("This workspace stops in %s unless you make room: %s.", diskGrace, why)
	if first && !end {
		m.tell(e, "", text)
	}
	m.mu.Unlock()
	switch {
	case end:
		m.endBecause(ctx, row, why)
	case first && m.c.Warn != nil:
		m.c.Warn(ctx, row, text)
	}
}

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
