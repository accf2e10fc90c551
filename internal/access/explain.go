package access

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Explanation is a decision with all that a person needs to follow it.
type Explanation struct {
	Decision
	Request  Request
	User     string   // display name
	UserName string   // user principal name
	Project  string   // the resource's project
	Via      string   // the name of the group that gave the role
	Path     []string // names of the groups from the one the user is in directly to Via
	Because  []string // what it rests on, or what is missing, in words
	// Circumstances are all that is known of the request, whether or not a policy read it.
	Circumstances policy.Circumstances
	// Rules are the policies that were true of the request: those that permit and those that forbid. Empty where none
	// was asked, because no session, account or directory stands behind the request.
	Rules []policy.Rule
	Grant *grant.Grant // the one that the decision rests on; nil for none
	Needs []string     // what would make a denial an allowance, a sentence each
}

// Explain implements Authorizer.
func (e *Engine) Explain(_ context.Context, r Request) Explanation {
	return explain(e.Facts(), e.classed(r), e.now(), alive{})
}

// May decides without opening anything, and without words: for which items a list shows, which buttons a page has.
func (e *Engine) May(r Request) bool {
	d, _, _ := e.decide(e.Facts(), e.classed(r), e.now(), alive{})
	return d.Effect == Allow
}

// Standing answers what a user could do who had just signed in: the same decision without the session. It is for
// "why --user", which asks about people who may not be signed in at all.
func (e *Engine) Standing(r Request) Explanation {
	return explain(e.Facts(), e.classed(r), e.now(), alive{anySession: true})
}

func explain(f *Facts, r Request, now time.Time, check alive) Explanation {
	d := judge(f, r, now, check, nil)
	x := Explanation{Decision: d, Request: r, Because: d.Reasons, Grant: f.Grants.Of(r.Principal.User).Grant(d.Grant)}
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
	v := view{f: f, user: r.Principal.User, now: now}
	var as signedIn
	if !check.anySession && r.Principal.Session != "" {
		as.row, as.signIn, _ = f.Sessions.Session(r.Principal.Session)
	}
	x.Circumstances = as.known(&v, r, everything)
	if d.Policies != nil || d.Code == NoRole || d.Code == NotPermitted || d.Code == NotDelegated {
		in := policy.Input{Principal: r.Principal, Action: r.Action, Resource: r.Resource, Context: x.Circumstances, Now: now}
		x.Rules = trueOf(f.Policies, in, &v)
		x.Needs = d.needs(f, in, &v, x.Rules)
	} else {
		x.Needs = d.needs(f, policy.Input{}, &v, nil)
	}
	return x
}

// trueOf are the policies whose conditions hold, in the order of their files.
func trueOf(set *policy.Set, in policy.Input, v *view) []policy.Rule {
	held := map[string]bool{}
	set.Watch(in, v, func(id string, holds bool) { held[id] = held[id] || holds })
	var rules []policy.Rule
	for _, r := range set.Rules() {
		if held[r.ID] {
			rules = append(rules, r)
		}
	}
	return rules
}

// needs says what would help against a denial.
func (d Decision) needs(f *Facts, in policy.Input, v *view, rules []policy.Rule) []string {
	switch d.Code {
	case "":
		return nil
	case NotSignedIn, SessionEnded:
		return []string{"a sign-in"}
	case AccountGone, Disabled:
		return []string{"an account that is enabled in the directory"}
	case StaleDirectory:
		return []string{"a directory that answers"}
	case StepUpNeeded:
		return []string{fmt.Sprintf("a sign-in with the authentication context %s: who is refused gets a link for it", d.Context)}
	case SignInTooOld:
		return []string{"a fresh sign-in, in a browser; from a terminal: lanyard login --fresh"}
	case ApprovalNeeded:
		return []string{fmt.Sprintf("the approval of a member of %s: %s", groupName(f, d.Approvers), d.Next)}
	case NotDelegated:
		return []string{fmt.Sprintf("a delegation that covers %s on %s", in.Action, in.Resource)}
	case NoRole, NotPermitted:
	default:
		return nil
	}
	var needs []string
	if role := d.lowest(f, in, v); role != "" {
		p, _ := f.Projects.Project(in.Resource.Project)
		needs = append(needs, fmt.Sprintf("the role %s in project %s%s", role, p.Name, through(f, p.Roles[role])))
	}
	for _, r := range rules {
		switch by := fmt.Sprintf("the policy %s (%s:%d)", r.ID, r.File, r.Line); {
		case r.Forbid && r.StepUp != "":
			needs = append(needs, "a stronger sign-in, which "+by+" wants")
		case r.Forbid && r.Approval != "":
			needs = append(needs, "an approval, which "+by+" wants")
		case r.Forbid:
			needs = append(needs, "that "+by+" does not forbid it")
		}
	}
	if len(needs) == 0 {
		needs = append(needs, fmt.Sprintf("a policy that permits %s", in.Action))
	}
	return needs
}

// through names the groups that give a role, or nothing where none does.
func through(f *Facts, groups []identity.GroupID) string {
	if len(groups) == 0 {
		return ""
	}
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = groupName(f, g)
	}
	return ", which comes with the group " + strings.Join(names, " or ")
}

// RoleIn is the role that a user holds in a project and the group that gives it; no group gives that of a break-glass
// grant.
func (f *Facts) RoleIn(u identity.UserID, p identity.ProjectID) (role string, via identity.GroupID) {
	v := view{f: f, user: u, now: time.Now()}
	h := v.held(p)
	return string(h.role), h.via
}
