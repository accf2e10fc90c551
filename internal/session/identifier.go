package session

import (
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// CookieName is the session cookie of every site of Lanyard. The prefix makes browsers refuse one that another host
// or an unprotected connection tries to set.
const CookieName = "__Host-lanyard"

// Identifier is the one door through which Lanyard learns who asks.
type Identifier struct {
	Sessions *Manager
	Now      func() time.Time // nil: time.Now
}

// Cookie identifies a browser by the session cookie of the site it is on. Nobody, or somebody whose session has
// ended, is anonymous; two cookies of the name are an attack, and an error.
func (i Identifier) Cookie(r *http.Request, site string) (identity.Principal, error) {
	values := r.CookiesNamed(CookieName)
	switch len(values) {
	case 0:
		return identity.Principal{}, nil
	case 1:
	default:
		return identity.Principal{}, problem.New(problem.Invalid, "The browser sent two session cookies. Clear this site's cookies and sign in again.")
	}
	row, ok := i.Sessions.find(r.Context(), values[0].Value)
	set := i.Sessions.Set() // after find, which may have added to it
	if !ok || row.Site != site || (row.Kind != Browser && row.Kind != Site) {
		return identity.Principal{}, nil
	}
	if _, _, dead := set.Live(row.ID, i.now()); dead != "" {
		return identity.Principal{}, nil
	}
	i.Sessions.Touch(row.ID)
	return identity.Principal{Kind: identity.Person, User: row.User, Session: row.ID}, nil
}

// Workspace identifies what comes from a workspace's tunnel, by the workspace's session. Whether that session is
// still live is for the decision to say, so that the reason is told.
func (i Identifier) Workspace(ws identity.WorkspaceID, id identity.SessionID) identity.Principal {
	row, _, ok := i.Sessions.Set().Session(id)
	if !ok || row.Kind != Workspace || row.Workspace != ws {
		return identity.Principal{}
	}
	return identity.Principal{Kind: identity.Person, User: row.User, Session: row.ID, Workspace: ws, Project: row.Project}
}

// Agent identifies what comes from the tunnel of an AI agent's sibling, by the agent's session.
func (i Identifier) Agent(id identity.SessionID) identity.Principal {
	row, _, ok := i.Sessions.Set().Session(id)
	if !ok || row.Kind != Agent {
		return identity.Principal{}
	}
	return identity.Principal{Kind: identity.AIAgent, User: row.User, Session: row.ID, Workspace: row.Workspace, Project: row.Project,
		Agent: row.Agent, Delegation: row.Delegation}
}

func (i Identifier) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}
