package access

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/session"
)

// view is the facts as one decision reads them, for one user at one moment. It notes what it showed, and when that
// ends.
type view struct {
	f     *Facts
	user  identity.UserID
	now   time.Time
	seen  *ground   // nil: nobody wants to know
	until time.Time // when the first thing that was shown ends; zero: never

	groups   *directory.Closure // of user; nil until asked for
	of       identity.ProjectID // the project of mine
	mine     holding            // what user holds there
	approval *grant.Grant       // the last one that was shown
}

var _ policy.Facts = (*view)(nil)

// holding is a role in a project and what gives it: a group, or a break-glass grant.
type holding struct {
	role  policy.Role
	via   identity.GroupID
	grant *grant.Grant
}

func (v *view) ends(at time.Time) { v.until = earlier(v.until, at) }

func (v *view) saw(u identity.UserID) {
	if v.seen != nil {
		v.seen.user(v.f, u)
	}
}

// session shows a session; dead says why it may not be used.
func (v *view) session(id identity.SessionID) (row *session.Session, signIn *session.SignIn, dead string) {
	row, signIn, dead = v.f.Sessions.Live(id, v.now)
	if v.seen != nil {
		v.seen.session(v.f, id)
	}
	if dead == "" {
		v.ends(session.Until(row, signIn))
	}
	return row, signIn, dead
}

// grants shows what a user holds by grants.
func (v *view) grants(u identity.UserID) *grant.Held {
	v.saw(u)
	held := v.f.Grants.Of(u)
	v.ends(held.Next(v.now))
	return held
}

// Approved implements policy.Facts.
func (v *view) Approved(u identity.UserID, a identity.Action, r identity.Resource, by identity.GroupID) (time.Time, bool) {
	g := v.grants(u).Approval(a, r, by, v.now)
	if g == nil {
		return time.Time{}, false
	}
	v.approval = g
	return g.Until, true
}

// InGroup implements policy.Facts.
func (v *view) InGroup(u identity.UserID, g identity.GroupID) bool { return v.closure(u).Has(g) }

// Groups implements policy.Facts.
func (v *view) Groups(u identity.UserID) []identity.GroupID {
	v.saw(u)
	return v.f.Directory.Groups(u)
}

func (v *view) closure(u identity.UserID) *directory.Closure {
	if u != v.user {
		v.saw(u)
		return v.f.Directory.Closure(u)
	}
	if v.groups == nil {
		v.saw(u)
		v.groups = v.f.Directory.Closure(u)
	}
	return v.groups
}

// ProjectRole implements policy.Facts.
func (v *view) ProjectRole(u identity.UserID, p identity.ProjectID) policy.Role {
	if u == v.user {
		return v.held(p).role
	}
	return v.holds(u, p).role
}

// held is what the user holds in a project.
func (v *view) held(p identity.ProjectID) holding {
	if p == "" || v.user.IsZero() {
		return holding{}
	}
	if p != v.of {
		v.of, v.mine = p, v.holds(v.user, p)
	}
	return v.mine
}

func (v *view) holds(u identity.UserID, id identity.ProjectID) (h holding) {
	p, ok := v.f.Projects.Project(id)
	if !ok || p.Closed != "" {
		return h
	}
	h.role, h.via = p.Role(v.closure(u).Has)
	if role, g := v.grants(u).Role(id, v.now); g != nil && !h.role.Includes(role) {
		h = holding{role: role, grant: g}
	}
	return h
}

// GlobalRole implements policy.Facts.
func (v *view) GlobalRole(u identity.UserID, r policy.Role) bool {
	return v.f.Projects.Global(r, v.closure(u).Has)
}

// ProjectName implements policy.Facts.
func (v *view) ProjectName(p identity.ProjectID) string { return projectName(v.f, p) }

// Sensitive implements policy.Facts.
func (v *view) Sensitive(r identity.Resource) string {
	if r.Kind == identity.KindAudience {
		if p, a, ok := v.f.Projects.Audience(r.Name); ok && p.ID == r.Project {
			return a.Sensitive
		}
		return ""
	}
	p, repo, ok := v.f.Projects.ForRepository(r.Name)
	if !ok || p.ID != r.Project {
		return ""
	}
	return repo.Sensitive
}

func (v *view) name() string {
	if u, ok := v.f.Directory.User(v.user); ok {
		return u.Name
	}
	return v.user.String()
}

// as is the facts with another role for the user: what would a policy say then?
type as struct {
	*view
	would policy.Role
}

// ProjectRole implements policy.Facts.
func (a as) ProjectRole(identity.UserID, identity.ProjectID) policy.Role { return a.would }
