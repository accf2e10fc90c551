package policy

import (
	"net/netip"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Role is a role of a project, or of the installation as a whole.
type Role string

const (
	NoRole     Role = ""
	Viewer     Role = "viewer"
	Developer  Role = "developer"  // is a viewer too
	Maintainer Role = "maintainer" // is a developer too
	Admin      Role = "admin"      // of the installation
	Auditor    Role = "auditor"    // of the installation
)

var projectRoles = [...]Role{Viewer, Developer, Maintainer}

// ProjectRoles are the roles of a project, the weakest first.
func ProjectRoles() []Role { return projectRoles[:] }

// rank is a project role's strength: 0 for none or for a role of the installation.
func (r Role) rank() int {
	for i, one := range projectRoles {
		if r == one {
			return i + 1
		}
	}
	return 0
}

// Includes reports whether who holds the project role r also holds other.
func (r Role) Includes(other Role) bool { return other.rank() > 0 && r.rank() >= other.rank() }

// Circumstances are what a policy may read of a request beside who, what and which. The value is comparable.
type Circumstances struct {
	// Session is the kind of session that identified the principal: "browser", "cli", "client", "site", "workspace", "agent";
	// empty for who has none.
	Session string
	// Agent is the name of the AI agent that acts for the user; empty where the person acts.
	Agent string
	// IP is where the request came from; the zero Addr where that is not known.
	IP netip.Addr
	// SignedIn is when the person proved who they are (auth_time); zero for who has not.
	SignedIn time.Time
	// Strength is the sign-in's acr, as the tenant said it.
	Strength string
	// Contexts are the authentication contexts satisfied ("c1"), sorted, each followed by a space, so that the value
	// stays comparable: "c1 c3 ".
	Contexts string
	// Class is the class of the workspace that asks or is asked for; empty where there is none.
	Class string
}

// Input is one question.
type Input struct {
	Principal identity.Principal
	Action    identity.Action
	Resource  identity.Resource
	Context   Circumstances
	Now       time.Time
}

// Facts are what policies rest on. A Facts is immutable, and its methods may be called by many at once. They are
// asked only for what a policy that can apply mentions.
type Facts interface {
	// InGroup reports whether the user is in the group, directly or through groups in it.
	InGroup(identity.UserID, identity.GroupID) bool
	// Groups are all groups that the user is in, in any order; the list is not changed. It is asked for instead of InGroup
	// where policies name more groups than a user is likely to be in.
	Groups(identity.UserID) []identity.GroupID
	// ProjectRole is the strongest role that the user holds in the project; NoRole when none, or no such project.
	ProjectRole(identity.UserID, identity.ProjectID) Role
	// GlobalRole reports whether the user holds Admin or Auditor.
	GlobalRole(identity.UserID, Role) bool
	// ProjectName is the project's name; empty when there is no such project any more.
	ProjectName(identity.ProjectID) string
	// Sensitive is the authentication context that reading and writing a repository needs, or getting a token for an audience;
	// empty when none.
	Sensitive(identity.Resource) string
	// Approved reports whether a member of the group has approved that the user does this, and until when. It lifts a
	// forbid with @approval.
	Approved(u identity.UserID, a identity.Action, r identity.Resource, by identity.GroupID) (until time.Time, ok bool)
}

// Verdict is the answer. The zero Verdict denies.
type Verdict struct {
	Allow bool
	// Policies are the IDs of the policies that decided: the permits when it is allowed, the forbids when one
	// stands in the way. Empty when nothing permits, and after an error.
	Policies []string
	// Errors are what failed while evaluating. One is enough to deny: a policy that fails would otherwise be
	// skipped, a forbid too.
	Errors []string
	// Until is when the passing of time alone might change the verdict; zero means never.
	Until time.Time
	// StepUp and Approval are set when a permit applies and only forbids stand in the way that carry @step_up or
	// @approval: the authentication context to sign in with, and the group whose members may approve. Where both do,
	// both are set: the person signs in again first.
	StepUp   string
	Approval identity.GroupID
}
