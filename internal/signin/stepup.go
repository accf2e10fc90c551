package signin

import (
	"fmt"
	"regexp"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// authContext is the shape of an authentication context's ID: Entra knows c1 to c99, others name their own.
var authContext = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

// asking is what a sign-in asks of the tenant. An authentication context is asked for as a claim of the ID token (OpenID
// Connect Core 5.5; Entra: "Developer guide to Conditional Access authentication context"), so that the answer can be
// checked.
func asking(u underway) []oauth2.AuthCodeOption {
	options := []oauth2.AuthCodeOption{oidc.Nonce(u.Nonce), oauth2.S256ChallengeOption(u.Verifier)}
	if u.Context != "" {
		options = append(options, oauth2.SetAuthURLParam("claims", fmt.Sprintf(`{"id_token":{"acrs":{"essential":true,"value":%q}}}`, u.Context)))
	}
	return options
}
