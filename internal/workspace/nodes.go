package workspace

import (
	"context"
	"fmt"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// mine reports whether a workspace lives on this node.
func (m *Manager) mine(row Workspace) bool { return row.Node == m.c.Node }

// adopt makes workspaces of before there were nodes this node's, where its runtime knows them, and all where it is alone.
func (m *Manager) adopt(ctx context.Context, rows []Workspace, here map[identity.WorkspaceID]bool) error {
	for i := range rows {
		_, known := here[rows[i].ID]
		if m.mine(rows[i]) || m.c.Node == "" || !m.c.Alone && (!known || rows[i].Node != "") {
			continue
		}
		rows[i].Node = m.c.Node
		if err := m.save(ctx, rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// Apply takes over what another replica changed: what is wanted of a workspace that lives here, and everything of one
// that lives elsewhere.
func (m *Manager) Apply(ctx context.Context, e feed.Entry) error {
	rows, err := m.c.Rows.ReadWorkspaces(ctx, e.Keys)
	if err != nil {
		return fmt.Errorf("read changed workspaces: %w", err)
	}
	found := map[identity.WorkspaceID]bool{}
	for _, row := range rows {
		found[row.ID] = true
		if m.apply(row) {
			m.wake(row.ID)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range e.Keys {
		if id := identity.WorkspaceID(key); !found[id] {
			m.drop(id)
		}
	}
	return nil
}

// Reload takes over all workspaces as they are stored.
func (m *Manager) Reload(ctx context.Context) error {
	rows, _, err := m.c.Rows.LoadWorkspaces(ctx)
	if err != nil {
		return fmt.Errorf("load workspaces: %w", err)
	}
	found := map[identity.WorkspaceID]bool{}
	for _, row := range rows {
		found[row.ID] = true
		if m.apply(row) {
			m.wake(row.ID)
		}
	}
	for _, row := range m.List() {
		if !found[row.ID] && !m.mine(row) {
			m.mu.Lock()
			m.drop(row.ID)
			m.mu.Unlock()
		}
	}
	return nil
}

// apply takes over a row as it is stored, and reports whether something else is wanted of a workspace that lives here.
func (m *Manager) apply(row Workspace) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[row.ID]
	switch {
	case e == nil && m.mine(row): // deleted here meanwhile
	case e == nil:
		m.entries[row.ID] = &entry{row: row, subs: map[chan Line]struct{}{}, used: m.c.Now()}
	case m.mine(row):
		if e.row.Desired == row.Desired {
			return false
		}
		e.row.Desired, e.row.Changed = row.Desired, row.Changed
		if row.Desired == WantRunning {
			e.row.Message, e.used = "", m.c.Now()
		} else if e.stop != nil {
			e.stop() // a start under way makes room for the stop
		}
		return true
	default:
		moved := e.row.Phase != row.Phase
		e.row = row
		if moved {
			m.tell(e, row.Phase, said[row.Phase])
			e.row.Changed = row.Changed
		}
	}
	return false
}

// beginning is the first line of a start.
func beginning(row Workspace) string {
	if row.Began.IsZero() {
		return "Creating the workspace."
	}
	return "Starting the workspace again, with its files."
}

// said is what is told here of a workspace that moves elsewhere; the whole story is told by its own replica.
var said = map[Phase]string{
	Preparing: "Preparing.", Creating: "Creating the workspace.", Initializing: "Waiting for the workspace's agent.",
	Running: "Ready.", Interrupted: "The workspace's processes have ended.", Stopping: "Stopping.", Stopped: "Stopped; the files are kept.",
}

// drop forgets a workspace and tells its followers that nothing more comes. The lock is held.
func (m *Manager) drop(id identity.WorkspaceID) {
	e := m.entries[id]
	if e == nil {
		return
	}
	for c := range e.subs {
		close(c)
	}
	e.subs = nil
	delete(m.entries, id)
}
