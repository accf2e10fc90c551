package session

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// SignIn is one authentication at the tenant: the root of a tree of sessions.
type SignIn struct {
	ID       identity.SignInID
	User     identity.UserID
	Name     string    // display name at sign-in, for show
	At       time.Time // when the person proved who they are (auth_time)
	Expires  time.Time // absolute
	Strength string    // acr, as the tenant said it
	Contexts []string  // authentication contexts satisfied (acrs)
	// TenantSession is the tenant's own session ID (`sid`), by which it signs out here too.
	TenantSession string
	TokenID       string // the ID token's own ID at the tenant (`uti`), by which its log of sign-ins is joined; may be empty
	Hint          string // what the tenant asks for to sign this person out without a question (`login_hint`); may be empty
	Guest         bool   // the account is another tenant's (`acct` 1, or an `idp` of its own)
	IP            string // where the browser was, without port
	Agent         string // what the browser called itself (User-Agent), at most 256 bytes, for show
	Correlation   string // the ID that the attempt was given, which the tenant writes into its log of sign-ins; may be empty
	// Refresh is the tenant's refresh token, sealed; empty when there is none. Never printed.
	Refresh  []byte
	Ended    time.Time // zero while it lives
	EndedWhy string
}

// Kind says what a session is for.
type Kind string

const (
	Browser   Kind = "browser"   // the pages site
	Site      Kind = "site"      // one workspace or app site, handed over from a browser session
	Workspace Kind = "workspace" // a workspace's tunnel
	Client    Kind = "client"    // an OAuth client of Lanyard's, such as the CLI on somebody's laptop
	Agent     Kind = "agent"     // an AI agent's sibling of a workspace; it ends with the workspace's session, its Parent
)

// Session hangs below a sign-in.
type Session struct {
	ID        identity.SessionID
	SignIn    identity.SignInID
	Parent    identity.SessionID // a Site session's browser session; empty otherwise
	User      identity.UserID
	Kind      Kind
	Secret    [32]byte             // SHA-256 of the cookie's value; zero for workspace sessions
	Site      string               // the host that the cookie is for
	Workspace identity.WorkspaceID // for Kind Workspace and Agent, and for the site of one
	Project   identity.ProjectID   // for Kind Workspace: its ceiling
	Created   time.Time
	Expires   time.Time // absolute; zero: with its sign-in
	Used      time.Time // last use as far as it was stored; not a fact
	Ended     time.Time // zero while it lives
	EndedWhy  string
	// For Kind Client: the client's ID, what it calls the device that it is on, and the thumbprint (RFC 7638) of the key
	// that its tokens are bound to; empty where they are not.
	Client string
	Device string
	Key    string
	// For Kind Agent: the AI agent's name and the grant that says which part of its user's rights it has. Workspace is then
	// the workspace that it was started in, Project its ceiling.
	Agent      string
	Delegation identity.GrantID
}
