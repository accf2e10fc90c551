package grant

import (
	"context"
	"slices"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Widen adds lines to a delegation that holds: what its AI agent asked for and its user gave. Its time stays. That the user
// has each line now, the caller has had decided. The event is what the caller knows of who gave it.
func (m *Manager) Widen(ctx context.Context, id identity.GrantID, more []Allowed, e audit.Event) (Grant, error) {
	m.writing.Lock()
	defer m.writing.Unlock()
	was, ok := m.Set().Grant(id)
	if !ok || was.Kind != Delegation || !was.Live(m.c.Now()) {
		return Grant{}, problem.New(problem.Conflict, "The delegation %s has ended.", id)
	}
	g := *was
	g.Allowed = slices.Clone(was.Allowed)
	for _, line := range more {
		if !slices.Contains(g.Allowed, line) {
			g.Allowed = append(g.Allowed, line)
		}
	}
	if len(g.Allowed) > maxLines {
		return Grant{}, problem.New(problem.Invalid, "A delegation has at most %d lines, not %d.", maxLines, len(g.Allowed))
	}
	return g, m.give(ctx, g, g.event(e, string(identity.GrantDelegate), audit.Done))
}
