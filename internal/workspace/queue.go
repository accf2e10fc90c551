package workspace

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Place is where a workspace stands among those that wait for room on its machine.
type Place struct{ At, Of int }

// class is the class that a workspace is of.
func (m *Manager) class(row Workspace) (Class, error) {
	if m.c.Class == nil {
		return Class{}, nil
	}
	return m.c.Class(row)
}

// admit waits until the machine has room for a workspace, and takes it for the class that is returned. Who waits is told the
// place. Between people the turn goes to whoever has the fewest workspaces running or ahead, then to who came first.
func (m *Manager) admit(ctx context.Context, id identity.WorkspaceID) (class string, err error) {
	var said Place
	for {
		m.mu.Lock()
		e := m.entries[id]
		if e == nil {
			m.mu.Unlock()
			return "", problem.New(problem.NotFound, "There is no workspace %s.", id)
		}
		if class = e.row.Class; e.placed && m.held(e.row) == m.memory(e.row) {
			m.mu.Unlock()
			return class, nil
		}
		e.placed = false // what was changed since takes its turn
		full := m.hasDisk(e.row)
		first := e.row.Queued.IsZero()
		if first {
			e.row.Queued = m.c.Now()
		}
		at, err := m.turn(e)
		if err == nil && at == (Place{}) && (full != nil || e.weighing) {
			at = Place{At: 1, Of: 1}
		}
		if err != nil || at == (Place{}) {
			e.placed = err == nil
			e.row.Queued, e.place, e.row.Holds = time.Time{}, Place{}, m.memory(e.row)
			m.moved()
			m.mu.Unlock()
			m.aside(ctx)
			return class, err
		}
		e.place = at
		if first { // others may stand behind it
			m.moved()
		}
		if at != said {
			m.tell(e, Pending, fmt.Sprintf("Waiting for room on this machine: place %d of %d.", at.At, at.Of))
			said = at
		}
		row, moved := e.row, m.queue
		m.mu.Unlock()
		if first { // so that it keeps its turn over a restart
			if err := m.save(ctx, row); err != nil {
				m.c.Log.Warn("a place in the queue could not be stored", "workspace", id, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			m.leaveQueue(id)
			return "", ctx.Err()
		case <-moved:
		}
	}
}

// room reports whether there is some, for so many more of so much memory together, that nobody waits for. What was made
// ahead does not count: it is put aside. The lock is held.
func (m *Manager) room(memory int64, more int) bool {
	for _, one := range m.entries {
		if m.mine(one.row) && !one.placed && one.row.Desired == WantRunning && !one.row.Queued.IsZero() {
			return false
		}
	}
	return !m.guestsStand(m.c.Now()) && m.fitsIn(memory, more)
}

// fitsIn reports whether so many more of so much memory together fit beside all that has its room. The lock is held.
func (m *Manager) fitsIn(memory int64, more int) bool {
	running := more + len(m.guests)
	for _, g := range m.guests {
		memory += g.memory
	}
	for _, one := range m.entries {
		if m.mine(one.row) && one.placed {
			running++
			memory += m.held(one.row)
		}
	}
	r := m.c.Rules
	return (r.Running == 0 || running <= r.Running) && (r.Memory == 0 || memory <= r.Memory)
}

// leaveQueue gives up a place in the queue.
func (m *Manager) leaveQueue(id identity.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[id]; e != nil && m.running.Err() == nil { // a server that goes down leaves it where it is
		e.row.Queued, e.place = time.Time{}, Place{}
		m.moved()
	}
}

// moved wakes those that wait. The lock is held.
func (m *Manager) moved() {
	close(m.queue)
	m.queue = make(chan struct{})
}

// turn says where a workspace that waits stands; zero: there is room for it now. The lock is held.
func (m *Manager) turn(e *entry) (Place, error) {
	r := m.c.Rules
	if r.Running == 0 && r.Memory == 0 {
		return Place{}, nil
	}
	own, err := m.class(e.row)
	if err != nil {
		return Place{}, err
	}
	if r.Memory > 0 && own.Memory > r.Memory {
		return Place{}, tooLarge(own)
	}
	running, memory := m.guestsAhead(e.row.Queued)
	ahead := map[identity.UserID]int{}
	var waiting []*entry
	for _, one := range m.entries {
		switch {
		case !m.mine(one.row):
		case one.placed:
			running++
			memory += m.held(one.row)
			ahead[one.row.Owner]++
		case one == e || one.row.Desired == WantRunning && !one.row.Queued.IsZero():
			waiting = append(waiting, one)
		}
	}
	slices.SortFunc(waiting, func(a, b *entry) int {
		return cmp.Or(a.row.Queued.Compare(b.row.Queued), strings.Compare(string(a.row.ID), string(b.row.ID)))
	})
	rank := make(map[*entry]int, len(waiting))
	for _, one := range waiting {
		rank[one] = ahead[one.row.Owner]
		ahead[one.row.Owner]++
	}
	slices.SortStableFunc(waiting, func(a, b *entry) int { return cmp.Compare(rank[a], rank[b]) })
	for i, one := range waiting {
		running++
		memory += m.memory(one.row)
		if r.Running > 0 && running > r.Running || r.Memory > 0 && memory > r.Memory { // and nobody overtakes
			return Place{At: slices.Index(waiting[i:], e) + 1, Of: len(waiting) - i}, nil
		}
		if one == e {
			return Place{}, nil
		}
	}
	return Place{}, nil
}

// memory is what a workspace counts for; one whose class is gone counts for nothing.
func (m *Manager) memory(row Workspace) int64 {
	c, err := m.class(row)
	if err != nil {
		return 0
	}
	return c.Memory
}

// held is what a workspace that has its room counts for.
func (m *Manager) held(row Workspace) int64 {
	if row.Holds > 0 {
		return row.Holds
	}
	return m.memory(row)
}

// Place is where a workspace waits for room; zero: it does not.
func (m *Manager) Place(id identity.WorkspaceID) Place {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if e := m.entries[id]; e != nil {
		return e.place
	}
	return Place{}
}

// mayStart refuses a workspace of a class that it may not be of, and one beyond the limits of its owner and its project.
func (m *Manager) mayStart(row Workspace, fresh bool) error {
	c, err := m.class(row)
	if err != nil {
		return err
	}
	if most := m.c.Rules.Memory; most > 0 && c.Memory > most {
		return tooLarge(c)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.hasDisk(row); err != nil {
		return err
	}
	return m.mayRun(row, fresh)
}

func tooLarge(c Class) error {
	return problem.New(problem.Conflict, "The class %s has more memory than all workspaces of this machine may have together. Choose a smaller class.", c.Name)
}

// mayRun refuses a workspace beyond what its owner and its project may have running; fresh is one that is not there yet. The
// lock is held.
func (m *Manager) mayRun(row Workspace, fresh bool) error {
	r := m.c.Rules
	var owns, runs, inProject int
	var those []string
	for _, e := range m.entries {
		if e.row.ID == row.ID || e.row.Desired == WantDeleted {
			continue
		}
		running := e.row.Desired == WantRunning
		if e.row.Owner == row.Owner {
			owns++
			if running {
				runs++
				those = append(those, string(e.row.ID))
			}
		}
		if e.row.Project == row.Project && running {
			inProject++
		}
	}
	slices.Sort(those)
	switch {
	case fresh && r.PerUser > 0 && owns >= r.PerUser:
		return problem.New(problem.Conflict, "You have %d workspaces, which is as many as a person may have here. Delete one that you no longer need.", owns)
	case r.RunningPerUser > 0 && runs >= r.RunningPerUser:
		return problem.New(problem.Conflict, "You have %d workspaces running (%s), which is as many as a person may have here. Stop one first.",
			runs, strings.Join(those, ", "))
	case r.RunningPerProject > 0 && inProject >= r.RunningPerProject:
		return problem.New(problem.Conflict, "The project has %d workspaces running, which is as many as a project may have here. Try again when one of them has stopped.", inProject)
	}
	return nil
}
