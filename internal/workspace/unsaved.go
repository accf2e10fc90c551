package workspace

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// workWithin is how long a workspace has to say what is not saved, before it is stopped or deleted.
const workWithin = 5 * time.Second

// None reports whether nothing would be lost.
func (u Unsaved) None() bool { return u.Changed == 0 && u.Unpushed == 0 && u.Stashes == 0 }

// String says what would be lost, in words.
func (u Unsaved) String() string {
	var parts []string
	for _, one := range []struct {
		n         int
		one, many string
	}{
		{u.Changed, "file that is not committed", "files that are not committed"},
		{u.Unpushed, "commit that is not pushed", "commits that are not pushed"},
		{u.Stashes, "stash", "stashes"},
	} {
		switch {
		case one.n == 1:
			parts = append(parts, "1 "+one.one)
		case one.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.many))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Unsaved asks what would be lost with a workspace's files: a running one itself, of another what it said when it stopped.
// work names them, where it runs. Nil and no error: that is not known.
func (m *Manager) Unsaved(ctx context.Context, id identity.WorkspaceID) (*Unsaved, agentapi.Work, error) {
	row, ok := m.Get(id)
	if !ok {
		return nil, agentapi.Work{}, problem.New(problem.NotFound, "There is no workspace %s.", id)
	}
	if row.Phase != Running {
		if row.Unsaved == nil && row.Used.IsZero() && row.Began.IsZero() { // nobody was ever in it
			return &Unsaved{Seen: m.c.Now()}, agentapi.Work{}, nil
		}
		return row.Unsaved, agentapi.Work{}, nil
	}
	wait, cancel := context.WithTimeout(ctx, workWithin) // the server may have just begun
	defer cancel()
	if err := m.c.Doors.Wait(wait, id); err != nil {
		m.c.Log.Info("a workspace is not reached that should say what is not saved", "workspace", id, "error", err)
		return nil, agentapi.Work{}, nil
	}
	u, work := m.lookForWork(ctx, row)
	return u, work, nil
}

// lookForWork asks a running workspace what would be lost; nil: it does not say.
func (m *Manager) lookForWork(ctx context.Context, row Workspace) (*Unsaved, agentapi.Work) {
	ctx, cancel := context.WithTimeout(ctx, workWithin)
	defer cancel()
	work, err := agentapi.New(m.c.Doors.Client(row.ID)).Work(ctx)
	if err != nil {
		m.c.Log.Info("a workspace does not say what is not saved", "workspace", row.ID, "error", err)
		return nil, work
	}
	u := Unsaved{Seen: m.c.Now()}
	for _, c := range work.Checkouts {
		if c.Error != "" {
			return nil, work
		}
		u.Changed += c.Changed
		u.Unpushed += c.Unpushed
		u.Stashes += c.Stashes
	}
	return &u, work
}

// noteUnsaved remembers what a workspace that is about to stop holds, and when it was used.
func (m *Manager) noteUnsaved(ctx context.Context, row Workspace) {
	if row.Phase != Running {
		return
	}
	u, _ := m.lookForWork(ctx, row)
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[row.ID]; e != nil {
		e.row.Unsaved, e.row.Used = u, e.used // stored when the stop settles
	}
}
