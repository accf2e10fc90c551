// Package review remembers how people signed in, compares that with the tenant's own log of sign-ins, and counts what of
// people's rights is used: what a review of access is made of. It decides nothing.
package review

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Kind says what is remembered.
type Kind string

const (
	SignIn Kind = "sign-in"
	StepUp Kind = "step-up" // a stronger sign-in for one thing
	// Arrival is that somebody came from the tenant and nothing began: to test signing in, in a second tab, or as a guest who
	// is not let in.
	Arrival Kind = "arrival"
	// Unbegun is a sign-in that is among Lanyard's and that nobody was seen to begin.
	Unbegun Kind = "unbegun"
)

// Remembered is how somebody signed in.
type Remembered struct {
	ID       string // the correlation ID of the attempt; of Unbegun, the sign-in's ID
	Kind     Kind
	User     identity.UserID
	Name     string    // display name then
	At       time.Time // when the answer of the tenant arrived
	Proved   time.Time // when the person proved who they are, as the tenant says
	Strength string
	Contexts []string
	Guest    bool
	IP       string // without port
	Device   string // see Device

	TenantSession string
	TokenID       string // `uti` of the ID token

	// NewPlace and NewDevice: within what is remembered, the person had not signed in from that network, or with such a
	// device, and had signed in at all.
	NewPlace, NewDevice bool
	Known               bool // the person said that it was them

	Logged   string    // the ID of the entry in the tenant's log; empty while none is known
	LoggedBy By        // how that was seen; not empty either where no entry is to be expected
	Flagged  time.Time // when it was reported that there is none; zero while it was not
}

// New reports whether there is something about it that the person should look at.
func (r Remembered) New() bool { return (r.NewPlace || r.NewDevice) && !r.Known }

// By is what joins an entry of the tenant's log with a sign-in.
type By string

const (
	ByToken         By = "token"         // the ID of the token is that of the request in the log
	ByCorrelation   By = "correlation"   // the ID that Lanyard gave the attempt
	ByCircumstances By = "circumstances" // the same person, from the same address, at nearly the same time
	BySession       By = "session"       // another sign-in of the same session at the tenant is in the log
	NotListed       By = "not listed"    // by single sign-on: the person proved who they are before, perhaps to another app
)

// Logged is an entry of the tenant's log of sign-ins.
type Logged struct {
	ID          string
	At          time.Time // by the tenant's clock
	User        identity.UserID
	Name        string
	UserName    string
	IP          string
	Place       string   // city and country, as the tenant makes of the address; may be empty
	Device      string   // browser and operating system, as the tenant makes of what the browser says; may be empty
	Strength    []string // what Conditional Access demanded and got, such as Mfa; without commas
	Correlation string
	TokenID     string // uniqueTokenIdentifier, where the log has it
	Code        int    // AADSTS; 0 for success
	Failure     string
	Joined      string // the ID of what is remembered of it; empty while that is not known
	JoinedBy    By
	Flagged     time.Time // when it was reported that Lanyard did not see it
}

// Retention is how long sign-ins are remembered.
const Retention = 90 * 24 * time.Hour

// State is how far reading and counting are.
type State struct {
	LogFrom  time.Time // the tenant's log is known from here on; zero: it was never read
	LogRead  time.Time // when it was last read
	Problem  string    // why it cannot be read, in words; empty when it can
	UsesFrom time.Time // uses are counted from here on; zero: not yet
	Position int64     // of the audit log up to which uses are counted; -1 before its first entry
}

// UseKind says what was used.
type UseKind string

const (
	OfGroup UseKind = "group"
	OfGrant UseKind = "grant"
)

// Use is that something which gives access was used.
type Use struct {
	Kind    UseKind
	Project string    // its name; of a grant, empty
	Role    string    // of a group: which role it gave
	ID      string    // the group's object ID, or the grant's ID
	Last    time.Time // when it was last used
	Times   int64     // visits and other accesses, as the audit log counts them
}
