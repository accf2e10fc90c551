package grant

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// EventStepUp is the audit action of a step-up.
const EventStepUp = "grant:step-up"

// Stronger is a stronger sign-in that a person has just made for one thing that was refused.
type Stronger struct {
	User      identity.UserID
	Allowed   Allowed
	Context   string
	SignIn    identity.SignInID
	Workspace identity.WorkspaceID
	For       time.Duration
}

// StepUp gives what a person stepped up for.
func (m *Manager) StepUp(ctx context.Context, s Stronger, e audit.Event) (Grant, error) {
	m.writing.Lock()
	defer m.writing.Unlock()
	now := m.c.Now()
	g := Grant{ID: identity.NewGrantID(), Kind: StepUp, User: s.User, Allowed: []Allowed{s.Allowed}, Context: s.Context, SignIn: s.SignIn,
		Workspace: s.Workspace, By: s.User, From: now, Until: now.Add(s.For)}
	return g, m.give(ctx, g, g.event(e, EventStepUp, audit.Done))
}

// Contexts are the authentication contexts that the user has stepped up to for an action on a resource, below a sign-in
// and from a workspace (or none): sorted, each followed by a space.
func (h *Held) Contexts(a identity.Action, r identity.Resource, signIn identity.SignInID, ws identity.WorkspaceID, now time.Time) string {
	if h == nil {
		return ""
	}
	var found []string
	for _, g := range h.grants {
		if g.Kind == StepUp && g.SignIn == signIn && g.Workspace == ws && g.Live(now) && g.covers(a, r) && !slices.Contains(found, g.Context) {
			found = append(found, g.Context)
		}
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return strings.Join(found, " ") + " "
}
