package workspace

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	haltPause = 200 * time.Millisecond // before storing a halt is tried again: the disk may be full
	haltTime  = 10 * time.Second       // of one try
)

// halt ends a workspace's processes at once, with those beside it, and stores afterwards that it is to be stopped: what fills the
// disk that the database lies on cannot wait for that. Why it was stopped stands in its row already.
func (m *Manager) halt(ctx context.Context, row Workspace, why string) {
	m.mu.Lock()
	e := m.entries[row.ID]
	if e == nil || e.row.Desired != WantRunning {
		m.mu.Unlock()
		return
	}
	e.row.Desired, e.row.Changed, e.halted = WantStopped, m.c.Now(), true
	if e.stop != nil {
		e.stop() // of a start that is under way
	}
	m.tell(e, "", "Stopping at once, because "+why+".")
	m.mu.Unlock()
	m.c.Log.Warn("a workspace is stopped at once", "workspace", row.ID, "owner", row.Owner, "why", why)
	if err := m.c.Runtime.Stop(ctx, row.ID); err != nil { // it is tried again by the reconciler
		m.c.Log.Error("a workspace could not be stopped at once", "workspace", row.ID, "error", err)
	}
	ev := m.event(row, "workspace:stop", "")
	ev.Actor, ev.Reasons = "service:workspaces", []string{why}
	m.work.Go(func() { m.storeHalt(m.running, e, ev) })
	m.wake(row.ID)
}

// wasHalted reports whether a workspace's processes have been ended at once.
func (m *Manager) wasHalted(id identity.WorkspaceID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.entries[id]
	return e != nil && e.halted
}

// storeHalt stores that a workspace was halted, as soon as that can be; when the server goes down it tries once more.
func (m *Manager) storeHalt(ctx context.Context, e *entry, ev audit.Event) {
	for said := false; ; {
		gone, err := m.tryStoreHalt(context.WithoutCancel(ctx), e, ev)
		if gone {
			return
		}
		if err == nil {
			m.wake(ev.Workspace) // what could not be written of its stop can be now
			return
		}
		if !said {
			m.c.Log.Error("that a workspace was stopped could not be stored; it is tried until it is", "workspace", ev.Workspace, "error", err)
			said = true
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(haltPause):
		}
	}
}

// tryStoreHalt stores it once; gone says that something else is wanted by now.
func (m *Manager) tryStoreHalt(ctx context.Context, e *entry, ev audit.Event) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, haltTime)
	defer cancel()
	e.saving.Lock()
	defer e.saving.Unlock()
	m.mu.RLock()
	row := e.row
	gone = m.entries[row.ID] != e || row.Desired != WantStopped
	m.mu.RUnlock()
	if gone {
		return true, nil
	}
	_, err = m.c.Rows.WantWorkspace(ctx, row, WantRunning, changed(row.ID), ev)
	if err != nil && problem.KindOf(err) != problem.Conflict { // a conflict: that it is to be stopped is stored already, and not why
		return false, err
	}
	return false, m.save(ctx, row)
}
