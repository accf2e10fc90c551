package access

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Explanation is a decision with the names that a person needs to follow it.
type Explanation struct {
	Decision
	Request  Request
	User     string   // display name
	UserName string   // user principal name
	Project  string   // the resource's project
	Via      string   // the name of the group that gave the role
	Path     []string // names of the groups from the one the user is in directly to Via
	Because  []string // what it rests on, or what is missing, in words
}

// Explain implements Authorizer.
func (e *Engine) Explain(_ context.Context, r Request) Explanation {
	f := e.Facts()
	d, _, _ := e.decide(f, r, e.now(), alive{})
	return explain(f, r, *d)
}

// May decides without opening anything, and without words: for which items a list shows, which buttons a page has.
func (e *Engine) May(r Request) bool {
	d, _, _ := e.decide(e.Facts(), r, e.now(), alive{})
	return d.Effect == Allow
}

// Standing answers what a user could do who had just signed in: the same decision without the session. It is for
// "why --user", which asks about people who may not be signed in at all.
func (e *Engine) Standing(r Request) Explanation {
	f := e.Facts()
	return explain(f, r, standing(f, r, e.now()))
}

func explain(f *Facts, r Request, d Decision) Explanation {
	x := Explanation{Decision: d, Request: r, Because: d.Reasons}
	if u, ok := f.Directory.User(r.Principal.User); ok {
		x.User, x.UserName = u.Name, u.UserName
	}
	if r.Resource.Project != "" {
		x.Project = projectName(f, r.Resource.Project)
	}
	if !d.Via.IsZero() {
		x.Via = groupName(f, d.Via)
		for _, g := range f.Directory.Path(r.Principal.User, d.Via) {
			x.Path = append(x.Path, groupName(f, g))
		}
	}
	return x
}

// RoleIn is the role that a user holds in a project and the group that gives it.
func (f *Facts) RoleIn(u identity.UserID, p identity.ProjectID) (role string, via identity.GroupID) {
	v := view{f: f, user: u, now: time.Now()}
	h := v.held(p)
	return string(h.role), h.via
}
