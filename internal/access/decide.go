package access

import (
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Decide answers a request from the facts alone. Deny is what remains when nothing allows.
func Decide(f *Facts, r Request, now time.Time) Decision { return decide(f, r, now, false) }

// decide also knows whether the access is open already: a directory that grows old refuses new access before it
// closes what is open.
func decide(f *Facts, r Request, now time.Time, open bool) Decision {
	return judge(f, r, now, alive{open: open})
}

// standing decides for a user as if they had just signed in: the account, the roles and the policies count, the
// session does not.
func standing(f *Facts, r Request, now time.Time) Decision {
	return judge(f, r, now, alive{anySession: true})
}

func judge(f *Facts, r Request, now time.Time, check alive) Decision {
	var until time.Time
	kind := ""
	if r.Principal.Kind == identity.Person {
		var denied Decision
		if denied, until, kind = check.of(f, r, now); denied.Code != "" {
			return denied
		}
	}
	if r.Principal.Kind == identity.Anonymous {
		return Decision{Code: NotSignedIn, Reasons: []string{"nobody is signed in"}}
	}
	if ceiling := r.Principal.Project; ceiling != "" && r.Resource.Project != ceiling {
		return Decision{Code: OutsideProject, Hidden: true,
			Reasons: []string{"a workspace reaches what belongs to its own project and nothing else"}}
	}

	view := view{f, r.Principal.User, now}
	role, via := view.role(r.Resource.Project)
	in := policy.Input{Principal: r.Principal, Action: r.Action, Resource: r.Resource,
		Context: policy.Circumstances{Session: kind}, Now: now}
	v := f.Policies.Decide(in, view)
	if !v.Until.IsZero() && (until.IsZero() || v.Until.Before(until)) {
		until = v.Until
	}
	d := Decision{Policies: v.Policies, Role: role, Via: via, Until: until}
	switch {
	case len(v.Errors) > 0:
		d.Code, d.Policies = PolicyError, nil
		d.Reasons = []string{"a policy could not be evaluated, so the answer is no: " + strings.Join(v.Errors, "; ")}
	case v.Allow:
		d.Effect = Allow
		d.Reasons = d.because(f)[:1]
	case r.Resource.Project != "" && role == "" && r.Principal.Kind == identity.Person:
		d.Code = NoRole
		d.Hidden = r.Resource.Owner != r.Principal.User
		d.Reasons = []string{fmt.Sprintf("%s has no role in project %s", view.name(), projectName(f, r.Resource.Project))}
	default:
		d.Code = NotPermitted
		d.Reasons = []string{d.missing(f, in, view)}
	}
	return d
}

// alive checks what every person's access rests on before any policy: the session and the sign-in above it, the
// account, and a directory young enough to be believed.
type alive struct {
	open       bool // the access is open already
	anySession bool // the question is about the person, not about a session
}

// of answers the denial, or when time alone would end this and the session's kind.
func (a alive) of(f *Facts, r Request, now time.Time) (denied Decision, until time.Time, kind string) {
	if !a.anySession {
		row, signIn, dead := f.Sessions.Live(r.Principal.Session, now)
		if dead != "" {
			return deny(SessionEnded, dead), until, ""
		}
		if row.User != r.Principal.User || signIn.User != r.Principal.User {
			return deny(SessionEnded, "the session belongs to somebody else"), until, ""
		}
		until, kind = session.Until(row, signIn), string(row.Kind)
	}
	u, ok := f.Directory.User(r.Principal.User)
	if !ok {
		return deny(AccountGone, "the account is not in the directory"), until, kind
	}
	if !u.Enabled {
		return deny(Disabled, "the account is disabled in the directory"), until, kind
	}
	bound := f.Bounds.Stale
	if a.open {
		bound = f.Bounds.Close
	}
	asOf := f.Directory.AsOf()
	if age := now.Sub(asOf); age >= bound {
		return deny(StaleDirectory, fmt.Sprintf(
			"the directory was last read %s ago, longer than it may be relied on; this ends when it answers again",
			age.Round(time.Second))), until, kind
	}
	if fresh := asOf.Add(f.Bounds.Close); until.IsZero() || fresh.Before(until) {
		until = fresh
	}
	return Decision{}, until, kind
}

func deny(c Code, why string) Decision { return Decision{Code: c, Reasons: []string{why}} }

// view is the facts as policies read them, for one user at one moment.
type view struct {
	f    *Facts
	user identity.UserID
	now  time.Time
}

// Approved implements policy.Facts.
func (v view) Approved(u identity.UserID, a identity.Action, r identity.Resource, by identity.GroupID) (time.Time, bool) {
	return v.f.Grants.Of(u).Approved(a, r, by, v.now)
}

// InGroup implements policy.Facts.
func (v view) InGroup(u identity.UserID, g identity.GroupID) bool { return v.f.Directory.InGroup(u, g) }

// ProjectRole implements policy.Facts.
func (v view) ProjectRole(u identity.UserID, p identity.ProjectID) policy.Role {
	role, _ := view{v.f, u, v.now}.role(p)
	return role
}

// GlobalRole implements policy.Facts.
func (v view) GlobalRole(u identity.UserID, r policy.Role) bool {
	return v.f.Projects.Global(r, func(g identity.GroupID) bool { return v.f.Directory.InGroup(u, g) })
}

// Sensitive implements policy.Facts.
func (v view) Sensitive(r identity.Resource) string {
	p, repo, ok := v.f.Projects.ForRepository(r.Name)
	if !ok || p.ID != r.Project {
		return ""
	}
	return repo.Sensitive
}

// ProjectName implements policy.Facts.
func (v view) ProjectName(p identity.ProjectID) string { return projectName(v.f, p) }

func (v view) role(id identity.ProjectID) (policy.Role, identity.GroupID) {
	if id == "" || v.user.IsZero() {
		return "", identity.GroupID{}
	}
	p, ok := v.f.Projects.Project(id)
	if !ok {
		return "", identity.GroupID{}
	}
	return p.Role(func(g identity.GroupID) bool { return v.f.Directory.InGroup(v.user, g) })
}

func (v view) name() string {
	if u, ok := v.f.Directory.User(v.user); ok {
		return u.Name
	}
	return v.user.String()
}

// because says what an allowed decision rests on, in words.
func (d Decision) because(f *Facts) []string {
	if d.Role != "" {
		return []string{string(d.Role) + " through " + groupName(f, d.Via)}
	}
	if len(d.Policies) > 0 {
		return []string{"policy " + strings.Join(d.Policies, ", ")}
	}
	return d.Reasons
}

// as is the facts with another role for the user: what would a policy say then?
type as struct {
	view
	would policy.Role
}

// ProjectRole implements policy.Facts.
func (a as) ProjectRole(identity.UserID, identity.ProjectID) policy.Role { return a.would }

// missing says what a denied person would need: the lowest role that would be allowed, where one would.
func (d Decision) missing(f *Facts, in policy.Input, v view) string {
	if in.Principal.Kind != identity.Person {
		return fmt.Sprintf("no policy allows %s to the %s", in.Action, in.Principal.Kind)
	}
	if in.Resource.Project == "" {
		return fmt.Sprintf("no policy allows %s to %s", in.Action, v.name())
	}
	where := "project " + projectName(f, in.Resource.Project)
	for _, role := range policy.ProjectRoles() {
		verdict := f.Policies.Decide(in, as{v, role})
		if !verdict.Allow || d.Role.Includes(role) {
			continue
		}
		held := "has no role"
		if d.Role != "" {
			held = fmt.Sprintf("is %s through %s", d.Role, groupName(f, d.Via))
		}
		return fmt.Sprintf("%s needs the role %s in %s; %s %s", in.Action, role, where, v.name(), held)
	}
	if len(d.Policies) > 0 {
		return fmt.Sprintf("%s is forbidden by policy %s", in.Action, strings.Join(d.Policies, ", "))
	}
	return fmt.Sprintf("no policy allows %s to %s in %s", in.Action, v.name(), where)
}

// lost says why an open lease no longer holds, by comparing what it rested on with the facts of now.
func (d Decision) lost(l *Lease, f *Facts) Reason {
	old := l.Decision()
	user := l.Request.Principal.User
	if (d.Code == NoRole || d.Code == NotPermitted) && old.Role != "" {
		name := projectName(f, l.Request.Resource.Project)
		if _, ok := f.Projects.Project(l.Request.Resource.Project); !ok {
			return Reason{d.Code, "the project that gave this access is no longer configured"}
		}
		if !f.Directory.InGroup(user, old.Via) {
			return Reason{d.Code, fmt.Sprintf("you are no longer in the group %s, which gave you the role %s in project %s",
				groupName(f, old.Via), old.Role, name)}
		}
		if d.Role != old.Role {
			return Reason{d.Code, fmt.Sprintf("project %s no longer gives the role %s to the group %s",
				name, old.Role, groupName(f, old.Via))}
		}
	}
	text := strings.Join(d.Reasons, "; ")
	if text == "" {
		text = "access has ended"
	}
	return Reason{d.Code, text}
}

// Err is a denial as an error for the peer. What the person may not know of is not found.
func (d Decision) Err(r Request) error {
	text := strings.Join(d.Reasons, "; ")
	switch {
	case d.Code == NotSignedIn || d.Code == SessionEnded:
		return problem.Wrap(Reason{d.Code, text}, problem.SignInNeeded, "Sign in first: %s.", text)
	case d.Hidden:
		return problem.Wrap(Reason{d.Code, text}, problem.NotFound, "%s", NotHere(r.Resource.Kind, r.Resource.Name))
	case d.Code == StaleDirectory:
		return problem.Wrap(Reason{d.Code, text}, problem.Unavailable, "Refused for now: %s.", text)
	default:
		return problem.Wrap(Reason{d.Code, text}, problem.Denied, "Not allowed: %s.", text)
	}
}

// NotHere is the one sentence for a resource that is not there and for one that is hidden, so that nobody can tell
// which.
func NotHere(kind identity.ResourceKind, name string) string {
	what := map[identity.ResourceKind]string{
		identity.KindRepo: "repository", identity.KindApp: "app", identity.KindWorkspace: "workspace", identity.KindProject: "project",
	}[kind]
	if what == "" {
		what = "such thing"
	}
	return fmt.Sprintf("There is no %s %s here that you may use. If you should have it, ask for a role in its project.", what, name)
}

func refusal(r Reason) error {
	return problem.Wrap(r, problem.Denied, "Access has just ended: %s.", r.Text)
}

func projectName(f *Facts, id identity.ProjectID) string {
	if p, ok := f.Projects.Project(id); ok {
		return p.Name
	}
	return string(id)
}

func groupName(f *Facts, id identity.GroupID) string {
	if g, ok := f.Directory.Group(id); ok && g.Name != "" {
		return g.Name
	}
	return id.String()
}
