package signin

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// claims are those of an Entra v2.0 ID token that Lanyard reads, and what it makes of another provider's.
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

	correlation string // of the attempt; no claim

	// said is all that a provider other than Entra says, in the token and in UserInfo.
	said map[string]json.RawMessage

	memberships // looked at only where the directory is made of sign-ins: a token says what they were
}

// memberships are the claims that a Sighting is made of.
type memberships struct {
	Mail   string          `json:"email"`
	Groups []string        `json:"groups"`
	Roles  []string        `json:"roles"`
	More   json.RawMessage `json:"hasgroups"` // true, in some tokens as a string
}

// personalAccounts is the tenant of Microsoft's consumer accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// entra is how a tenant of Microsoft Entra ID speaks.
type entra struct{ tenant identity.TenantID }

// scopes: offline_access for the refresh token that person credentials are redeemed from.
func (entra) scopes() []string {
	return []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}
}

func (entra) again() string                { return graphScopes }
func (entra) algorithms([]string) []string { return []string{oidc.RS256} }
func (entra) sources() string              { return "groups" }

// options: an authentication context is asked for as a claim of the ID token (OpenID Connect Core 5.5; Entra: "Developer
// guide to Conditional Access authentication context"), so that the answer can be checked.
func (entra) options(context, _ string) []oauth2.AuthCodeOption {
	if context == "" {
		return nil
	}
	return []oauth2.AuthCodeOption{claimsParameter("acrs", context)}
}

// person checks what go-oidc leaves to its caller and makes the user of it.
func (e entra) person(_ context.Context, _ *provider, _ map[string]json.RawMessage, token *oidc.IDToken, _ string) (identity.UserID, claims, error) {
	var c claims
	refuse := func(why string) (identity.UserID, claims, error) {
		return identity.UserID{}, claims{}, refusedToken(why)
	}
	if err := token.Claims(&c); err != nil {
		return refuse("its ID token cannot be read")
	}
	switch {
	case c.Tenant == personalAccounts:
		return refuse("it is for a personal Microsoft account; use your work account")
	case c.Tenant != string(e.tenant):
		return refuse("it is for an account of another tenant")
	case !guid.MatchString(c.Object):
		return refuse("it names no object ID (oid)")
	}
	return identity.UserID{Tenant: e.tenant, Object: c.Object}, c, nil
}

func (entra) anew(context.Context, *provider, string, string) (identity.UserID, claims, error) {
	return identity.UserID{}, claims{}, errors.New("the tenant's answer to a refresh token holds no ID token")
}

// at is when the person authenticated. Entra sends auth_time only where the app registration asks for it; the token's
// issue time, which Entra dates back by minutes, is the substitute. See identified for other providers.
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
