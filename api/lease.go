package api

import "time"

// Lease is an open or an ended access, and what it rested on.
type Lease struct {
	ID        string    `json:"id"`
	User      string    `json:"user,omitempty"`
	UserName  string    `json:"user_name,omitempty" doc:"The person's display name"`
	Actor     string    `json:"actor,omitempty" doc:"operator or service:…, where it was no person; agent:NAME where an AI agent acts for the person, and of the lease that it runs on"`
	Action    string    `json:"action"`
	Resource  string    `json:"resource"`
	Project   string    `json:"project,omitempty" doc:"The project's name"`
	Role      string    `json:"role,omitempty"`
	Via       string    `json:"via,omitempty" doc:"The group or app role that gives the role"`
	Opened    time.Time `json:"opened"`
	Until     time.Time `json:"until,omitzero" doc:"When time alone may end it"`
	Workspace string    `json:"workspace,omitempty"`
	Session   string    `json:"session,omitempty"`
	Ended     time.Time `json:"ended,omitzero"`
	Reason    string    `json:"reason,omitempty" doc:"Why it was closed"`
	Code      string    `json:"code,omitempty" doc:"The same for programs"`
}

// Leases are the open accesses and the last ones that were closed.
type Leases struct {
	Open  []Lease `json:"open"`
	Ended []Lease `json:"ended"`
	// More is how many open ones were left out: the newest are listed.
	More int `json:"more,omitempty"`
	// Alarms are the break-glass grants that hold now.
	Alarms []Grant `json:"alarms,omitempty"`
}

// What may be revoked.
const (
	RevokeUser    = "user"
	RevokeSession = "session"
	RevokeLease   = "lease"
	RevokeGrant   = "grant"
)

// Revoke asks to end a user's sign-ins, what hangs below a session, one lease, or a grant.
type Revoke struct {
	Kind string `json:"kind" enum:"user,session,lease,grant"`
	ID   string `json:"id" doc:"u-…, s-…, l-… or g-…; a user also by user principal name, a session also a sign-in's i-…"`
}

// Revoked says what ended.
type Revoked struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Leases is how many open accesses were closed.
	Leases int `json:"leases"`
	// Sessions is how many sign-ins or sessions ended.
	Sessions int `json:"sessions"`
	// Grants is how many grants ended.
	Grants int `json:"grants,omitempty"`
	// Recorded is false when it is closed here but could not be written yet.
	Recorded  bool   `json:"recorded"`
	Message   string `json:"message"`
	Elsewhere bool   `json:"elsewhere,omitempty"` // not open at this replica: the others were told
}
