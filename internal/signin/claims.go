package signin

import (
	"crypto/subtle"
	"regexp"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// claims are those of an Entra v2.0 ID token that Lanyard reads. Groups and roles are not among them: the directory
// says what they are now, a token only what they were.
type claims struct {
	Tenant   string   `json:"tid"`
	Object   string   `json:"oid"`
	Name     string   `json:"name"`
	UserName string   `json:"preferred_username"`
	Session  string   `json:"sid"`
	AuthTime int64    `json:"auth_time"`
	Strength string   `json:"acr"`
	Contexts []string `json:"acrs"`
	TokenID  string   `json:"uti"`
	Hint     string   `json:"login_hint"`
	Account  *int     `json:"acct"` // 1: a guest
	Home     string   `json:"idp"`  // only where the account is another tenant's
}

// personalAccounts is the tenant of Microsoft's consumer accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// person checks what go-oidc leaves to its caller and makes the user of it.
func (s *Service) person(token *oidc.IDToken, nonce string) (identity.UserID, claims, error) {
	var c claims
	refuse := func(why string) (identity.UserID, claims, error) {
		return identity.UserID{}, claims{}, problem.New(problem.Denied, "The tenant's answer was refused: %s.", why)
	}
	if err := token.Claims(&c); err != nil {
		return refuse("its ID token cannot be read")
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return refuse("it does not belong to the sign-in that this browser began")
	case c.Tenant == personalAccounts:
		return refuse("it is for a personal Microsoft account; use your work account")
	case c.Tenant != string(s.c.Tenant.ID):
		return refuse("it is for an account of another tenant")
	case !guid.MatchString(c.Object):
		return refuse("it names no object ID (oid)")
	}
	return identity.UserID{Tenant: s.c.Tenant.ID, Object: c.Object}, c, nil
}

// at is when the person authenticated. Entra sends auth_time only where it is asked for; the token's issue time,
// which Entra dates back by minutes, is the safe substitute.
func (c claims) at(token *oidc.IDToken, now time.Time) time.Time {
	at := token.IssuedAt
	if c.AuthTime > 0 {
		at = time.Unix(c.AuthTime, 0)
	}
	if at.After(now) {
		at = now
	}
	return at
}

// guest reports whether the account is another tenant's. `acct` is an optional claim; `idp` comes unasked, and only
// where the home tenant differs.
func (c claims) guest() bool {
	if c.Account != nil {
		return *c.Account == 1
	}
	return c.Home != ""
}
