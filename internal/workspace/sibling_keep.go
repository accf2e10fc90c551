package workspace

import (
	"context"
	"fmt"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// loadSiblings takes over what stands beside workspaces of this node. The AI agents of an earlier process of the server
// have ended, whether their processes run or not: nobody holds their terminal any more. What they did is handed back as
// soon as their workspace runs.
func (m *Manager) loadSiblings(ctx context.Context, here map[identity.WorkspaceID]bool) error {
	rows, err := m.c.Rows.LoadSiblings(ctx)
	if err != nil {
		return fmt.Errorf("load siblings: %w", err)
	}
	const why = "the server was started again"
	for _, row := range rows {
		if row.Node != m.c.Node && !m.c.Alone {
			continue
		}
		if _, there := here[row.ID]; !there { // it died before there was anything of it, or after all of it was removed
			if err := m.c.Rows.DeleteSibling(ctx, row.ID); err != nil {
				return fmt.Errorf("forget a sibling: %w", err)
			}
			continue
		}
		if row.Kept == "" {
			row.Kept = why
		}
		m.mu.Lock()
		s := newSibling(row)
		s.due = true
		m.siblings.all[row.ID] = s
		m.mu.Unlock()
	}
	return nil
}

// endLoaded ends the sessions of the AI agents of an earlier process of the server, and then what is due. Until then
// nobody has them: no socket of theirs is open.
func (m *Manager) endLoaded(ctx context.Context) {
	m.mu.RLock()
	var loaded []Sibling
	for _, s := range m.siblings.all {
		if s.due {
			loaded = append(loaded, s.row)
		}
	}
	m.mu.RUnlock()
	for _, row := range loaded {
		m.c.Sessions.EndSession(ctx, row.Session, row.Kept)
	}
	m.endDue(ctx)
}

// dueSiblings makes what is kept beside a workspace that has just started be handed back.
func (m *Manager) dueSiblings(of identity.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.siblings.all {
		if s.row.Of == of && s.row.Kept != "" {
			s.due, s.tries = true, 0
		}
	}
}

// maxTries is how often a workspace that cannot be reached is tried again without another start of it: it may be
// beginning again by itself at the very moment.
const maxTries = 3

// again makes what is kept because its workspace was not reached due once more.
func (m *Manager) again(s *sibling, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if problem.KindOf(err) == problem.Unavailable && s.tries < maxTries {
		s.due = true
		s.tries++
	}
}

// endDue ends what is due and whose workspace runs, and what stands beside none.
func (m *Manager) endDue(ctx context.Context) {
	m.mu.Lock()
	var due []Sibling
	for _, s := range m.siblings.all {
		e := m.entries[s.row.Of]
		if s.due && (e == nil || e.row.Phase == Running) {
			s.due = false
			due = append(due, s.row)
		}
	}
	m.mu.Unlock()
	for _, row := range due {
		m.work.Go(func() {
			if _, there := m.Get(row.Of); !there {
				if err := m.dropSiblings(ctx, row.Of); err != nil {
					m.c.Log.Error("what stood beside a workspace that is gone could not be removed", "workspace", row.Of, "error", err)
				}
				return
			}
			if err := m.EndSibling(ctx, row.ID, row.Kept); err != nil {
				m.c.Log.Warn("what an AI agent did is kept", "agent", row.Agent, "workspace", row.Of, "error", err)
			}
		})
	}
}

// inUse reports whether somebody is in a workspace, or an AI agent beside it.
func (m *Manager) inUse(id identity.WorkspaceID) bool {
	m.mu.RLock()
	for _, s := range m.siblings.all {
		if s.row.Of == id && s.row.Kept == "" {
			m.mu.RUnlock()
			return true
		}
	}
	m.mu.RUnlock()
	return m.c.InUse(id)
}
