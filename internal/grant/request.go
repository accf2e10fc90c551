package grant

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// State is what has become of a request.
type State string

const (
	Pending   State = "pending"
	Approved  State = "approved"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Expired   State = "expired" // nobody decided in time; never stored
)

// Request asks a person for approval of one action on one resource. The grant that approving it makes has its ID.
type Request struct {
	ID        identity.GrantID
	User      identity.UserID // who asks, and whom the grant would be for
	Action    identity.Action
	Resource  identity.Resource
	Approvers identity.GroupID // whose members may decide
	Why       string
	For       time.Duration // how long the access is wanted, from the approval
	Asked     time.Time
	Expires   time.Time // undecided by then, it is over

	Decision State           // Pending while nobody has decided
	By       identity.UserID // who decided; the user itself where it was withdrawn
	Decided  time.Time
	Words    string        // what the person who decided said
	Given    time.Duration // Approved: how long was given, at most For
}

// State is what the request is at a moment. Passing its time needs no write.
func (q *Request) State(now time.Time) State {
	if q.Decision == Pending && !now.Before(q.Expires) {
		return Expired
	}
	return q.Decision
}

// key is what the request asks for: of one person there is one pending request for each.
func (q *Request) key() askedFor { return askedFor{q.User, q.Action, q.Resource} }

type askedFor struct {
	user     identity.UserID
	action   identity.Action
	resource identity.Resource
}

// grant is what approving the request gives.
func (q *Request) grant() Grant {
	return Grant{
		ID: q.ID, Kind: Approval, User: q.User, Group: q.Approvers, Why: q.Why, By: q.By, From: q.Decided, Until: q.Decided.Add(q.Given),
		Allowed: []Allowed{{Action: q.Action, Kind: q.Resource.Kind, Name: q.Resource.Name, Project: q.Resource.Project}},
	}
}
