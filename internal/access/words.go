package access

import (
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// grounds names the role and what gives it; empty without a role.
func (d Decision) grounds(f *Facts) string {
	switch {
	case d.Role == "":
		return ""
	case d.Via.IsZero():
		return fmt.Sprintf("%s through the break-glass grant %s", d.Role, d.Grant)
	default:
		return string(d.Role) + " through " + groupName(f, d.Via)
	}
}

// because says what an allowed decision rests on, in words.
func (d Decision) because(f *Facts) []string {
	if text := d.grounds(f); text != "" {
		return []string{text}
	}
	if len(d.Policies) > 0 {
		return []string{"policy " + strings.Join(d.Policies, ", ")}
	}
	return d.Reasons
}

// missing says what a denied person would need: the lowest role that would be allowed, where one would.
func (d Decision) missing(f *Facts, in policy.Input, v *view) string {
	if in.Principal.User.IsZero() {
		return fmt.Sprintf("no policy allows %s to the %s", in.Action, in.Principal.Kind)
	}
	if in.Resource.Project == "" {
		return fmt.Sprintf("no policy allows %s to %s", in.Action, v.name())
	}
	where := "project " + projectName(f, in.Resource.Project)
	if role := d.lowest(f, in, v); role != "" {
		held := "has no role"
		if d.Role != "" {
			held = "is " + d.grounds(f)
		}
		return fmt.Sprintf("%s needs the role %s in %s; %s %s", in.Action, role, where, v.name(), held)
	}
	if len(d.Policies) > 0 {
		return fmt.Sprintf("%s is forbidden by policy %s", in.Action, strings.Join(d.Policies, ", "))
	}
	return fmt.Sprintf("no policy allows %s to %s in %s", in.Action, v.name(), where)
}

// lowest is the weakest role with which policies would allow it, after a step-up or an approval where they want one; empty when none would, or it is held already.
func (d Decision) lowest(f *Facts, in policy.Input, v *view) policy.Role {
	if in.Resource.Project == "" || in.Principal.User.IsZero() {
		return ""
	}
	for _, role := range policy.ProjectRoles() {
		if d.Role.Includes(role) {
			continue
		}
		if then := f.Policies.Decide(in, as{v, role}); then.Allow || then.StepUp != "" || !then.Approval.IsZero() {
			return role
		}
	}
	return ""
}

// lost says why an open lease no longer holds, by comparing what it rested on with the facts of now.
func (d Decision) lost(l *Lease, f *Facts, now time.Time) Reason {
	old := l.Decision()
	user := l.Request.Principal.User
	if (d.Code == NoRole || d.Code == NotPermitted) && old.Role != "" && !old.Via.IsZero() {
		name := projectName(f, l.Request.Resource.Project)
		if _, ok := f.Projects.Project(l.Request.Resource.Project); !ok {
			return Reason{d.Code, "the project that gave this access is no longer configured"}
		}
		if p, _ := f.Projects.Project(l.Request.Resource.Project); p.Closed != "" {
			return Reason{d.Code, fmt.Sprintf("project %s is closed: %s", name, p.Closed)}
		}
		if !f.Directory.InGroup(user, old.Via) {
			member := "in"
			if _, role := old.Via.AppRole(); role {
				member = "assigned"
			}
			return Reason{d.Code, fmt.Sprintf("you are no longer %s %s, which gave you the role %s in project %s",
				member, theGroup(f, old.Via), old.Role, name)}
		}
		if d.Role != old.Role {
			return Reason{d.Code, fmt.Sprintf("project %s no longer gives the role %s to %s", name, old.Role, theGroup(f, old.Via))}
		}
	}
	if g := f.Grants.Of(user).Grant(old.Grant); d.Code != NotDelegated && old.Grant != "" && (g == nil || !g.Live(now)) {
		text := fmt.Sprintf("the grant %s, which gave this access, has ended", old.Grant)
		if was, ok := f.Grants.Ended(old.Grant); ok && was.EndedWhy != "" {
			text += ": " + was.EndedWhy
		}
		return Reason{d.Code, text}
	}
	text := strings.Join(d.Reasons, "; ")
	if text == "" {
		text = "access has ended"
	}
	return Reason{d.Code, text}
}

// theGroup names a group or an app role in a sentence.
func theGroup(f *Facts, g identity.GroupID) string {
	if value, role := g.AppRole(); role {
		return "the app role " + value
	}
	return "the group " + groupName(f, g)
}

// Err is a denial as an error for the peer. What the person may not know of is not found.
func (d Decision) Err(r Request) error {
	text := strings.Join(d.Reasons, "; ")
	switch {
	case d.Code == NotSignedIn || d.Code == SessionEnded:
		return problem.Wrap(Reason{d.Code, text}, problem.SignInNeeded, "Sign in first: %s.", text)
	case d.Hidden:
		return problem.Wrap(Reason{d.Code, text}, problem.NotFound, "%s", NotHere(r.Resource.Kind, r.Resource.Name))
	case d.Code == StaleDirectory, d.Code == StaleReplica:
		return problem.Wrap(Reason{d.Code, text}, problem.Unavailable, "Refused for now: %s.", text)
	case d.Effect == StepUp:
		how := fmt.Sprintf("Open %s in a browser within five minutes, then try again", d.Next)
		switch {
		case r.Principal.Kind == identity.AIAgent:
			how = "AI agents cannot, and what their person signed in for is not theirs: leave this to the person"
		case d.Next == "" && d.Code == SignInTooOld:
			how = "Sign out there and in again in a browser, then try again"
		case d.Next == "":
			how = "No link for that can be given now: try again in a moment"
		case d.Code == SignInTooOld:
			how = fmt.Sprintf("Open %s in a browser, then try again", d.Next)
		}
		return &problem.Error{Kind: problem.StepUpNeeded, Cause: Reason{d.Code, text},
			Message: fmt.Sprintf("Sign in again first: %s. %s.", text, how),
			Next:    &problem.Next{Context: d.Context, SignIn: d.Next}}
	case d.Effect == Approval:
		return &problem.Error{Kind: problem.ApprovalNeeded, Cause: Reason{d.Code, text},
			Message: fmt.Sprintf("Not without approval: %s. Ask for it: %s", text, d.Next),
			Next:    &problem.Next{Approvers: d.Approvers.Object, Run: d.Next}}
	default:
		return problem.Wrap(Reason{d.Code, text}, problem.Denied, "Not allowed: %s.", text)
	}
}

// NotHere is the one sentence for a resource that is not there and for one that is hidden, so that nobody can tell
// which.
func NotHere(kind identity.ResourceKind, name string) string {
	what := map[identity.ResourceKind]string{
		identity.KindRepo: "repository", identity.KindApp: "app", identity.KindAudience: "audience", identity.KindRegistry: "registry", identity.KindEgress: "address", identity.KindWorkspace: "workspace", identity.KindProject: "project",
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

// asking is the command that asks for approval.
func asking(f *Facts, r Request) string {
	return fmt.Sprintf("lanyard request %s %s --why \"…\"", r.Action, Spelled(f, r.Resource))
}

// Spelled is a resource as a person names it at a command line.
func Spelled(f *Facts, r identity.Resource) string {
	switch r.Kind {
	case identity.KindApp, identity.KindAudience, identity.KindRegistry, identity.KindEgress:
		return projectName(f, r.Project) + "/" + r.Name
	case identity.KindProject:
		return projectName(f, identity.ProjectID(r.Name))
	case identity.KindInstallation:
		return "installation"
	default:
		return r.Name
	}
}
