package workspace

import (
	"context"
	"time"
)

// ageEvery is how often stopped workspaces are looked at for their age.
const ageEvery = 10 * time.Minute

// age archives and deletes what nobody has used for as long as the configuration says. What is pinned stays.
func (m *Manager) age(ctx context.Context) {
	r := m.c.Rules
	if r.ArchiveAfter == 0 && r.DeleteAfter == 0 {
		return
	}
	now := m.c.Now()
	for _, row := range m.List() {
		if !m.mine(row) || row.Phase != Stopped || row.Desired != WantStopped || row.Pinned {
			continue
		}
		unused := now.Sub(row.LastUse())
		kept := row.Unsaved == nil || !row.Unsaved.None() // what is not known may be there
		switch {
		case r.DeleteAfter > 0 && unused >= r.DeleteAfter && (!kept || r.DeleteUnsavedAfter > 0 && unused >= r.DeleteUnsavedAfter):
			ev := m.event(row, "workspace:delete", "")
			ev.Actor, ev.Reasons = "service:workspaces", []string{"nobody used it since " + row.LastUse().UTC().Format(time.DateOnly)}
			if err := m.Want(ctx, row.ID, WantDeleted, ev); err != nil {
				m.c.Log.Error("an old workspace could not be deleted", "workspace", row.ID, "error", err)
			}
		case r.ArchiveAfter > 0 && unused >= r.ArchiveAfter && row.Archived.IsZero():
			ev := m.event(row, "workspace:archive", "")
			ev.Actor, ev.Reasons = "service:workspaces", []string{"nobody used it since " + row.LastUse().UTC().Format(time.DateOnly)}
			if _, err := m.Change(ctx, row.ID, func(d *Details) { d.Archived = now }, ev); err != nil {
				m.c.Log.Error("an old workspace could not be archived", "workspace", row.ID, "error", err)
			}
		}
	}
}

// LastUse is when somebody was last in the workspace, as far as that is stored.
func (w Workspace) LastUse() time.Time {
	if w.Used.IsZero() {
		return w.Changed
	}
	return w.Used
}

// Goes is when a stopped workspace is deleted for its age; zero: it is not.
func (m *Manager) Goes(row Workspace) time.Time {
	r := m.c.Rules
	after := r.DeleteAfter
	if row.Unsaved == nil || !row.Unsaved.None() {
		after = r.DeleteUnsavedAfter
	}
	if after == 0 || row.Pinned || row.Phase != Stopped {
		return time.Time{}
	}
	return row.LastUse().Add(after)
}
