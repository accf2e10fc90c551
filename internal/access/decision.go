package access

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Request is one question: may this principal do this to that, in these circumstances?
type Request struct {
	Principal identity.Principal
	Action    identity.Action
	Resource  identity.Resource
	IP        string // where it came from
	Class     string // the class of the workspace that asks or is asked for; empty where there is none
	// Durable wants the audit entry on disk before Open returns: pushes, exec, administration, unsafe methods.
	Durable bool
	// Detail goes into the audit entry: method and path, a ref. Never a secret.
	Detail map[string]any
	// Stands, where there is one, says of an allowed request what else of the facts stands in its way, as a clause;
	// empty when nothing does. It is asked whenever the request is decided, so it reads the facts and nothing that changes.
	Stands func(*Facts, *Decision) (why string)
}

// Effect is what was decided. The zero Effect is Deny.
type Effect uint8

const (
	Deny Effect = iota
	Allow
	StepUp   // sign in again with Decision.Context
	Approval // ask Decision.Approvers, by a request
)

func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case StepUp:
		return "step up"
	case Approval:
		return "request"
	default:
		return "deny"
	}
}

// Decision is an answer, with what it rests on.
type Decision struct {
	Effect   Effect
	Code     Code             // why it is denied; empty for Allow
	Reasons  []string         // for the person: why
	Policies []string         // the policies that decided
	Role     policy.Role      // the role held in the resource's project, if any
	Via      identity.GroupID // the group that gave the role
	Grant    identity.GrantID // the grant without which it would be refused, if there is one
	// Until is the moment at which time alone would change the decision; zero means never.
	Until time.Time
	// Ends is when what it rests on ends by itself, whatever becomes of the directory's age: a session, a grant, a sign-in
	// that was stepped up; zero means never. What outlives the decision, as a token does, ends by then.
	Ends time.Time
	// Context is the authentication context that StepUp wants, empty where any fresh sign-in will do; Approvers the group that may approve for Approval.
	Context   string
	Approvers identity.GroupID
	// Next is what to do about it: for StepUp the address to sign in at, for Approval the command that asks.
	Next string
	// Hidden: the person may not even know whether the resource is there.
	Hidden bool
}

// Code classifies a denial, for programs.
type Code string

const (
	NotSignedIn    Code = "not-signed-in"
	SessionEnded   Code = "session-ended"
	AccountGone    Code = "account-gone"
	Disabled       Code = "account-disabled"
	StaleDirectory Code = "directory-stale"
	OutsideProject Code = "outside-project"
	NoRole         Code = "no-role"
	NotPermitted   Code = "not-permitted"
	StepUpNeeded   Code = "step-up-needed"
	SignInTooOld   Code = "sign-in-too-old" // for the project: a fresh one without any context is enough
	ApprovalNeeded Code = "approval-needed"
	NotDelegated   Code = "not-delegated" // the AI agent's delegation does not contain it, or has ended
	PolicyError    Code = "policy-error"
	Revoked        Code = "revoked"
	Shutdown       Code = "shutdown"
)
