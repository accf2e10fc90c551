package entrasim

import (
	"maps"
	"time"
)

const (
	codeLife    = 10 * time.Minute
	refreshLife = 90 * 24 * time.Hour // of inactivity
	sessionLife = 24 * time.Hour      // of an SSO session that is not kept signed in
)

// grants are what people's sign-ins left behind. Keys are hashes of the secret that is out.
// [Tenant.mu] guards them.
type grants struct {
	Sessions map[string]*ssoSession
	Codes    map[string]*authCode
	Refresh  map[string]*refreshToken
	Devices  map[string]*deviceRequest // by device code
}

// signIn says who authenticated, when and how. It is copied into everything that rests on it.
type signIn struct {
	SID      string // names the SSO session
	UserID   string
	AuthTime time.Time
	Epoch    int       // the user's, when it was made
	Contexts []string  // authentication contexts that were met
	MFAAt    time.Time `json:",omitzero"`  // when a second factor was shown; zero: none
	Device   string    `json:",omitempty"` // DeviceCompliant, DeviceJoined, or empty
}

// ssoSession is a browser's sign-in at the tenant.
type ssoSession struct {
	signIn
	Expires time.Time
	Apps    map[string]bool // client IDs that got a code from it, to be told when it ends
}

type authCode struct {
	signIn
	ClientID      string
	RedirectURI   string
	Challenge     string // S256; empty: no PKCE
	Nonce         string
	Scope         string
	AskedInID     []string // acrs asked for in the ID token
	AskedInAccess []string // acrs asked for in the access token
	TokenID       string   // uti of the tokens that it is redeemed for
	Continuous    bool     // the client understands claims challenges
	Expires       time.Time
	Used          bool
}

type refreshToken struct {
	signIn
	ClientID string
	Scope    string
	Native   bool // of a program on somebody's machine, without a credential
	Expires  time.Time
}

func newGrants() *grants {
	return &grants{Sessions: map[string]*ssoSession{}, Codes: map[string]*authCode{}, Refresh: map[string]*refreshToken{},
		Devices: map[string]*deviceRequest{}}
}

// prune forgets what has been over for long enough that a client gets the same answer either way.
func (g *grants) prune(now time.Time) {
	over := func(end time.Time) bool { return end.Add(time.Hour).Before(now) }
	maps.DeleteFunc(g.Sessions, func(_ string, s *ssoSession) bool { return over(s.Expires) })
	maps.DeleteFunc(g.Codes, func(_ string, c *authCode) bool { return over(c.Expires) })
	maps.DeleteFunc(g.Devices, func(_ string, d *deviceRequest) bool { return over(d.Expires) })
	maps.DeleteFunc(g.Refresh, func(_ string, r *refreshToken) bool { return over(r.Expires.Add(refreshLife)) })
}

// saveGrants writes the grants; t.mu is held.
func (t *Tenant) saveGrants() {
	if err := t.writeGrants(); err != nil {
		t.log.Error("the tenant's grants were not saved", "error", err)
	}
}

// standing checks that the user behind a sign-in may still use it. t.mu is held.
func (t *Tenant) standing(s signIn) (*userRow, *stsError) {
	u := t.dir.user(s.UserID)
	switch {
	case u == nil:
		return nil, &stsError{OAuth: "invalid_grant", Code: 50034, Message: "The user account does not exist in the " + t.org.Name +
			" directory. To sign into this application, the account must be added to the directory."}
	case !u.AccountEnabled:
		return nil, errDisabled()
	case u.Epoch != s.Epoch:
		return nil, &stsError{OAuth: "invalid_grant", Code: 50173, Message: "The provided grant has expired due to it being revoked, " +
			"a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '" +
			s.AuthTime.UTC().Format(time.RFC3339Nano) + "' and the TokensValidFrom date (before which tokens are not valid) for this user is '" +
			u.SignInsValidFrom.UTC().Format(time.RFC3339Nano) + "'."}
	}
	return u, nil
}

func errDisabled() *stsError {
	return &stsError{OAuth: "invalid_grant", Code: 50057, Message: "The user account is disabled."}
}
