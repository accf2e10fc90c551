package access

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
)

// Decide answers a request from the facts alone. Deny is what remains when nothing allows.
func Decide(f *Facts, r Request, now time.Time) Decision { return judge(f, r, now, alive{}, nil) }

// judge decides. What it read of sessions, users and grants it notes in seen, where that is not nil.
func judge(f *Facts, r Request, now time.Time, check alive, seen *ground) Decision {
	v := view{f: f, user: r.Principal.User, now: now, seen: seen}
	var as policy.Circumstances
	var delegation *grant.Grant
	var asks signedIn
	var fresh time.Time // until when the directory may be believed; zero: for ever
	switch r.Principal.Kind {
	case identity.Person, identity.AIAgent:
		var denied Decision
		if asks, denied = check.of(&v, r); denied.Code != "" {
			return denied
		}
		if r.Principal.Kind == identity.AIAgent {
			if delegation, denied = check.delegation(&v, r.Principal); denied.Code != "" {
				return denied
			}
		}
		as, fresh = asks.circumstances(&v, r), f.Directory.AsOf().Add(f.Bounds.Close)
	case identity.Service:
		if denied := serving(f, r); denied.Code != "" {
			return denied
		}
		as = signedIn{}.circumstances(&v, r)
	case identity.Anonymous:
		return deny(NotSignedIn, "nobody is signed in")
	default:
		as = signedIn{}.circumstances(&v, r)
	}
	if ceiling := r.Principal.Project; ceiling != "" && r.Resource.Project != ceiling {
		return Decision{Code: OutsideProject, Hidden: true,
			Reasons: []string{"a workspace reaches what belongs to its own project and nothing else"}}
	}

	held := v.held(r.Resource.Project)
	in := policy.Input{Principal: r.Principal, Action: r.Action, Resource: r.Resource, Context: as, Now: now}
	verdict := f.Policies.Decide(in, &v)
	v.ends(verdict.Until)
	old := asks.tooOld(&v, r)
	if seen != nil {
		seen.until = v.until
	}
	d := Decision{Policies: verdict.Policies, Role: held.role, Via: held.via, Until: earlier(v.until, fresh), Ends: v.until}
	if held.grant != nil {
		d.Grant = held.grant.ID
	}
	unlisted := notListed(f, r.Resource)
	switch {
	case len(verdict.Errors) > 0:
		d.Code, d.Policies = PolicyError, nil
		d.Reasons = []string{"a policy could not be evaluated, so the answer is no: " + strings.Join(verdict.Errors, "; ")}
	case unlisted != "" && (held.role != "" || verdict.Allow): // whoever a policy lets connect
		d.Code, d.Policies, d.Reasons = NotPermitted, nil, []string{unlisted}
	case verdict.Allow && delegation != nil && !delegation.Delegated(r.Action, r.Resource, now):
		d.Code, d.Grant, d.Policies = NotDelegated, delegation.ID, nil
		d.Reasons = []string{fmt.Sprintf("%s may do %s here, and has not delegated it to the AI agent %s", v.name(), r.Action, r.Principal.Agent)}
	case verdict.Allow && old != "":
		d.Effect, d.Code, d.Policies = StepUp, SignInTooOld, nil
		d.Reasons = []string{old}
	case verdict.Allow:
		d.Effect = Allow
		d.Reasons = d.because(f)[:1]
		if v.approval != nil {
			d.Grant = v.approval.ID
		}
		if delegation != nil {
			d.Grant = delegation.ID
		}
	case verdict.StepUp != "":
		d.Effect, d.Code, d.Context = StepUp, StepUpNeeded, verdict.StepUp
		d.Reasons = []string{fmt.Sprintf("%s on %s takes a sign-in with the authentication context %s", r.Action, r.Resource, d.Context)}
	case !verdict.Approval.IsZero():
		d.Effect, d.Code, d.Approvers = Approval, ApprovalNeeded, verdict.Approval
		d.Next = asking(f, r)
		d.Reasons = []string{fmt.Sprintf("%s on %s takes the approval of a member of %s", r.Action, r.Resource, groupName(f, d.Approvers))}
	case r.Resource.Project != "" && held.role == "" && !r.Principal.User.IsZero():
		d.Code = NoRole
		d.Hidden = r.Resource.Owner != r.Principal.User
		d.Reasons = []string{fmt.Sprintf("%s has no role in project %s", v.name(), projectName(f, r.Resource.Project))}
	default:
		d.Code = NotPermitted
		d.Reasons = []string{d.missing(f, in, &v)}
	}
	return d
}

// notListed says why a host is out of reach whatever the policies allow: the project's file does not list it. It is empty
// for other resources.
func notListed(f *Facts, r identity.Resource) string {
	if r.Kind != identity.KindEgress {
		return ""
	}
	p, _ := f.Projects.Project(r.Project)
	if host, port, ok := project.SplitEgress(r.Name); ok {
		if _, listed := p.EgressTo(host, port); listed {
			return ""
		}
	}
	return fmt.Sprintf("the project %s does not list %s under workspace.egress in %s", p.Name, r.Name, filepath.Base(p.File))
}

func deny(c Code, why string) Decision { return Decision{Code: c, Reasons: []string{why}} }

// earlier is the earlier of two moments, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
