package workspace

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// guest is what runs, or is to run, beside the workspaces: a prebuild.
type guest struct {
	memory int64
	stands time.Time // from then on it has its turn, and its room, as a workspace has; zero: never
}

// standing reports whether a guest makes no more room for others.
func (g guest) standing(now time.Time) bool { return !g.stands.IsZero() && !now.Before(g.stands) }

// Room waits until the machine has room for what runs beside the workspaces, a prebuild, and nobody waits for that room. It
// counts as a workspace does until it leaves. From the time that is given as stands on, so that it comes to an end on a machine that
// is always full, it is treated as a workspace is that began to wait then: who waits longer goes before it, others do not, and it
// keeps its room.
func (m *Manager) Room(ctx context.Context, id identity.WorkspaceID, c Class, stands time.Time) (leave func(), err error) {
	if most := m.c.Rules.Memory; most > 0 && c.Memory > most {
		return nil, tooLarge(c)
	}
	g := guest{memory: c.Memory, stands: stands}
	for {
		m.mu.Lock()
		delete(m.coming, id)
		now := m.c.Now()
		if m.roomFor(g, now) {
			m.guests[id] = g
			m.mu.Unlock()
			m.aside(ctx)
			return func() { m.leave(id) }, nil
		}
		m.coming[id] = g
		moved := m.queue
		m.mu.Unlock()
		var due <-chan time.Time
		if !g.stands.IsZero() && !g.standing(now) {
			due = time.After(g.stands.Sub(now))
		}
		select {
		case <-ctx.Done():
			m.leave(id)
			return nil, context.Cause(ctx)
		case <-moved:
		case <-due:
		}
	}
}

// leave lets others have what a guest had, or waited for.
func (m *Manager) leave(id identity.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.guests, id)
	delete(m.coming, id)
	m.moved()
}

// roomFor reports whether a guest may have room now. The lock is held.
func (m *Manager) roomFor(g guest, now time.Time) bool {
	if !g.standing(now) {
		return m.room(g.memory, 1)
	}
	for _, e := range m.entries {
		if m.mine(e.row) && !e.placed && e.row.Desired == WantRunning && !e.row.Queued.IsZero() && e.row.Queued.Before(g.stands) {
			return false
		}
	}
	return m.fitsIn(g.memory, 1)
}

// guestsStand reports whether guests wait that make no more room for others. The lock is held.
func (m *Manager) guestsStand(now time.Time) bool {
	for _, g := range m.coming {
		if g.standing(now) {
			return true
		}
	}
	return false
}

// guestsAhead counts, for a workspace that waits since queued, the guests that have room or are to have it before, and their memory.
// The lock is held.
func (m *Manager) guestsAhead(queued time.Time) (running int, memory int64) {
	for _, g := range m.guests {
		running, memory = running+1, memory+g.memory
	}
	now := m.c.Now()
	for _, g := range m.coming {
		if g.standing(now) && !queued.Before(g.stands) {
			running, memory = running+1, memory+g.memory
		}
	}
	return running, memory
}

// Yield waits until a workspace waits for the room that a guest has (see Room), and would have it if guests left. The error is
// that of ctx.
func (m *Manager) Yield(ctx context.Context, id identity.WorkspaceID) error {
	for {
		m.mu.Lock()
		wanted, moved := m.inTheWay(id), m.queue
		m.mu.Unlock()
		if wanted {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// inTheWay reports whether a guest has room that a workspace waits for. Of several guests no more leave than have to: those with
// a smaller ID go first, and those that stand stay. The lock is held.
func (m *Manager) inTheWay(id identity.WorkspaceID) bool {
	now := m.c.Now()
	if g, here := m.guests[id]; !here || g.standing(now) {
		return false
	}
	stay, later := map[identity.WorkspaceID]guest{}, map[identity.WorkspaceID]guest{}
	for other, g := range m.guests {
		if g.standing(now) {
			stay[other] = g
		}
		if other >= id || g.standing(now) {
			later[other] = g
		}
	}
	for _, e := range m.entries {
		if m.mine(e.row) && !e.placed && e.row.Desired == WantRunning && !e.row.Queued.IsZero() && m.fits(e, stay) && !m.fits(e, later) {
			return true
		}
	}
	return false
}

// fits reports whether a workspace that waits would have its turn with these guests. The lock is held.
func (m *Manager) fits(e *entry, guests map[identity.WorkspaceID]guest) bool {
	here := m.guests
	defer func() { m.guests = here }()
	m.guests = guests
	at, err := m.turn(e)
	return err == nil && at == Place{}
}
