package entrasim

import (
	"encoding/base64"
	"strings"
)

// hintOf is the login_hint claim: with it an app asks for this person at a later sign-in, or says who signs out. Clients
// must not read anything in it, and a user principal name cannot be had from it.
//
// https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
func hintOf(user, tenant string) string {
	return "O." + base64.RawURLEncoding.EncodeToString([]byte(user+"|"+tenant))
}

// hinted is the user principal name that a login_hint parameter means: an opaque hint of this tenant's, or the name
// itself, which is given back as it is.
func (t *Tenant) hinted(hint string) string {
	encoded, opaque := strings.CutPrefix(hint, "O.")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if !opaque || err != nil {
		return hint
	}
	id, _, _ := strings.Cut(string(decoded), "|")
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.dir.user(id); u != nil {
		return u.UserPrincipalName
	}
	return hint
}
