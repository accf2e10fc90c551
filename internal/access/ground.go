package access

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// ground is what a decision was read from, beside its request and what is one for everybody (projects, policies, the
// directory's age): the sessions and the users that it looked at, whoever they are. While all of it is the same, so is
// the decision, until its time is up.
type ground struct {
	sessions [2]heldSession // that which asks, and that which delegated
	users    [3]heldUser    // who asks, and others whose groups a policy looked at
	ns, nu   int
	until    time.Time // when the first of it ends by itself; zero: never
	more     bool      // there were more than can be noted, so nobody may rely on this
}

type heldSession struct {
	id     identity.SessionID
	row    *session.Session
	signIn *session.SignIn
	parent *session.Session // of a site's session
}

// heldUser is a user's record, whose pointer stands for the user's groups too, and what the user holds by grants.
type heldUser struct {
	id     identity.UserID
	record *directory.User
	grants *grant.Held
}

func readSession(f *Facts, id identity.SessionID) heldSession {
	s := heldSession{id: id}
	s.row, s.signIn, _ = f.Sessions.Session(id)
	if s.row != nil && s.row.Parent != "" {
		s.parent, _, _ = f.Sessions.Session(s.row.Parent)
	}
	return s
}

func readUser(f *Facts, id identity.UserID) heldUser {
	u := heldUser{id: id, grants: f.Grants.Of(id)}
	u.record, _ = f.Directory.User(id)
	return u
}

func (g *ground) session(f *Facts, id identity.SessionID) {
	for i := range g.ns {
		if g.sessions[i].id == id {
			return
		}
	}
	if g.ns == len(g.sessions) {
		g.more = true
		return
	}
	g.sessions[g.ns] = readSession(f, id)
	g.ns++
}

func (g *ground) user(f *Facts, id identity.UserID) {
	for i := range g.nu {
		if g.users[i].id == id {
			return
		}
	}
	if g.nu == len(g.users) {
		g.more = true
		return
	}
	g.users[g.nu] = readUser(f, id)
	g.nu++
}

// holds reports whether all of it is the same in f.
func (g *ground) holds(f *Facts) bool {
	for i := range g.ns {
		if readSession(f, g.sessions[i].id) != g.sessions[i] {
			return false
		}
	}
	for i := range g.nu {
		if readUser(f, g.users[i].id) != g.users[i] {
			return false
		}
	}
	return !g.more
}
