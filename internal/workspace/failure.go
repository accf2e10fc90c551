package workspace

import "github.com/lanyardhq/lanyard/internal/identity"

// keptLines is how many lines of a start that failed are stored with it.
const keptLines = 20

// step notes which step of a start is under way.
func (m *Manager) step(id identity.WorkspaceID, step string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[id]; e != nil {
		e.step = step
	}
}

// noteFailure remembers at which step a start failed and what it had said by then; it is stored when that settles.
func (m *Manager) noteFailure(id identity.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return
	}
	f := &FailedStart{Step: e.step}
	for _, l := range e.lines[max(0, len(e.lines)-keptLines):] {
		f.Lines = append(f.Lines, l.Text)
	}
	e.row.Failed = f
}
