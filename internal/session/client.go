package session

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// CLI is the client ID of Lanyard's own command line.
const CLI = "lanyard-cli"

// Device is the OAuth client that a session is for, and where it runs.
type Device struct {
	Client string // the client's ID
	Name   string // what it calls its machine, for show; may be empty
	Key    string // thumbprint of the key that its tokens are bound to; empty where they are not
}

// ForClient makes the session of an OAuth client, below the sign-in of the browser session that allowed it. It lives as
// long as the sign-in does.
func (m *Manager) ForClient(ctx context.Context, from identity.SessionID, d Device, event audit.Event) (Session, error) {
	now := m.c.Now()
	m.writing.Lock()
	defer m.writing.Unlock()
	_, signIn, dead := m.Set().Live(from, now)
	if dead != "" {
		return Session{}, problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	row := Session{
		ID: identity.NewSessionID(), SignIn: signIn.ID, User: signIn.User, Kind: Client,
		Client: d.Client, Device: d.Name, Key: d.Key, Created: now, Used: now,
	}
	event.User, event.Session = audit.PersonOf(signIn.User, signIn.Name), row.ID
	return row, m.give(ctx, nil, []Session{row}, event)
}

// Await waits, where other processes make sessions too, until one is known here that a token of ours names.
func (m *Manager) Await(ctx context.Context, id identity.SessionID) {
	if _, _, known := m.Set().Session(id); known || !m.c.Shared {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	_ = m.c.Reach(ctx) // if not, the session stays unknown, and its token is refused
}
