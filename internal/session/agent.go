package session

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// ForAgent makes the session of an AI agent that was started in a workspace, below the workspace's own session. Its grant
// says what it may do and until when.
func (m *Manager) ForAgent(ctx context.Context, from identity.SessionID, name string, delegation identity.GrantID, events ...audit.Event) (Session, error) {
	now := m.c.Now()
	m.writing.Lock()
	defer m.writing.Unlock()
	parent, signIn, dead := m.Set().Live(from, now)
	if dead != "" {
		return Session{}, problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	if parent.Kind != Workspace {
		return Session{}, problem.New(problem.Denied, "An AI agent is started from within a workspace.")
	}
	row := Session{
		ID: identity.NewSessionID(), SignIn: signIn.ID, Parent: parent.ID, User: parent.User, Kind: Agent,
		Workspace: parent.Workspace, Project: parent.Project, Created: now, Agent: name, Delegation: delegation,
	}
	return row, m.give(ctx, nil, []Session{row}, events...)
}
