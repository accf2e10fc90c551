// Package grant keeps requests for access and what became of them: approvals, delegations to AI agents, break-glass
// roles. A grant is a fact with an end. Rows, an immutable set of them that decisions read, and who makes and ends them;
// whether somebody may is for access to say.
package grant

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Kind says what a grant gives.
type Kind string

const (
	// Approval lifts the forbids with @approval whose group the approver belongs to, for one action on one resource.
	Approval Kind = "approval"
	// Delegation gives an AI agent a part of the rights of its user.
	Delegation Kind = "delegation"
	// BreakGlass gives a role in a project without approval: an hour at most, with a reason and an alarm.
	BreakGlass Kind = "break-glass"
	// StepUp is an authentication context that its user has signed in with for one action on one resource, from one
	// workspace or below one sign-in.
	StepUp Kind = "step-up"
)

// Allowed is what one line of a grant covers. An empty Name means every resource of the kind in the project.
type Allowed struct {
	Action  identity.Action
	Kind    identity.ResourceKind
	Name    string
	Project identity.ProjectID
}

// Covers reports whether the line covers an action on a resource.
func (a Allowed) Covers(action identity.Action, r identity.Resource) bool {
	return a.Action == action && a.Kind == r.Kind && a.Project == r.Project && (a.Name == "" || a.Name == r.Name)
}

// Grant is an approved request, a delegation, or a break-glass role.
type Grant struct {
	ID      identity.GrantID
	Kind    Kind
	User    identity.UserID // whose rights it is about
	Allowed []Allowed       // Approval, StepUp: one; Delegation: at least one; BreakGlass: none

	Group   identity.GroupID   // Approval: the group whose member approved
	Agent   string             // Delegation: the AI agent's name
	Session identity.SessionID // Delegation: the session that delegated; it ends with it
	Project identity.ProjectID // BreakGlass
	Role    policy.Role        // BreakGlass

	Context   string               // StepUp: the authentication context
	SignIn    identity.SignInID    // StepUp: it counts below this one alone, and ends with it
	Workspace identity.WorkspaceID // StepUp: it counts for this workspace alone; empty: for what is in none

	Why   string          // what the person who asked said
	By    identity.UserID // who approved; the user itself for a delegation; zero for the operator
	From  time.Time
	Until time.Time

	Ended    time.Time // zero while nobody has ended it
	EndedWhy string
}

// Live reports whether the grant holds at a moment.
func (g *Grant) Live(now time.Time) bool {
	return g.Ended.IsZero() && !now.Before(g.From) && now.Before(g.Until)
}
