package access

import (
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Concerns reports whether a request is a person's business: they asked, or belong to those who may approve.
func (f *Facts) Concerns(who identity.Principal, q grant.Request) bool {
	return !who.User.IsZero() && (q.User == who.User || f.Directory.InGroup(who.User, q.Approvers))
}

// Approver says why a principal may not decide a request now; nil when they may. Only people do, who are in the group
// that the policy named, and nobody for themselves: roles and the operator's powers make no difference. What is decided
// must still be of use: who asked is enabled.
func (f *Facts) Approver(who identity.Principal, q grant.Request) error {
	approvers := groupName(f, q.Approvers)
	switch row, ok := f.Directory.User(who.User); {
	case who.Kind == identity.AIAgent:
		return problem.New(problem.Denied, "An AI agent approves nothing: a member of %s has to decide.", approvers)
	case who.Kind != identity.Person:
		return problem.New(problem.Denied, "Only a member of the group %s may decide this, not the %s.", approvers, who.Kind)
	case who.User == q.User:
		return problem.New(problem.Denied, "Nobody approves for themselves: another member of %s has to decide.", approvers)
	case !f.Directory.InGroup(who.User, q.Approvers):
		return problem.New(problem.Denied, "Only a member of the group %s may decide this, and you are in it no more or never were.", approvers)
	case !ok || !row.Active():
		return problem.New(problem.Denied, "Your account is not enabled in the directory.")
	}
	if row, ok := f.Directory.User(q.User); !ok || !row.Active() {
		return problem.New(problem.Conflict, "Who asked for this is disabled in the directory, or gone: there is nobody to approve it for.")
	}
	return nil
}
