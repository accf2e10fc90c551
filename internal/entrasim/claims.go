package entrasim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

const (
	backDated  = 5 * time.Minute    // iat and nbf lie in the past
	tokenLife  = 3900 * time.Second // exp − iat
	groupLimit = 200                // more groups than this do not fit a JWT: overage

	implicitGroupLimit = 5
)

// common are the claims that every v2.0 token has.
func (t *Tenant) common(audience string) map[string]any {
	issued := t.now().Add(-backDated)
	return map[string]any{
		"ver": "2.0", "iss": t.Issuer(), "aud": audience, "tid": t.org.TenantID,
		"iat": issued.Unix(), "nbf": issued.Unix(), "exp": issued.Add(tokenLife).Unix(),
		"uti": randomID(16), "rh": "1." + randomID(40) + ".", "aio": randomID(48),
	}
}

// forResource are the claims that every access token has: a capture of 2026 shows an opaque one more.
func (t *Tenant) forResource(resource App) map[string]any {
	c := t.common(resource.ClientID)
	c["xms_ftd"] = randomID(96)
	return c
}

// pairwise is the sub of a user at one app: stable, and different at every other app.
func (t *Tenant) pairwise(app, user string) string {
	mac := hmac.New(sha256.New, t.keys.Pairwise)
	mac.Write([]byte(app + "|" + user))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// idClaims are those of a v2.0 ID token. t.mu is held.
func (t *Tenant) idClaims(i issue) map[string]any {
	c := t.common(i.client.ClientID)
	c["sub"] = t.pairwise(i.client.ClientID, i.UserID)
	if i.nonce != "" {
		c["nonce"] = i.nonce
	}
	if i.scopes.Profile {
		c["oid"], c["name"], c["preferred_username"] = i.UserID, i.user.DisplayName, i.user.UserPrincipalName
	}
	if i.scopes.Email && i.user.Mail != "" {
		c["email"] = i.user.Mail
	}
	if i.user.Home != "" {
		c["idp"] = "https://sts.windows.net/" + i.user.Home + "/"
	}
	t.optional(c, i.client, i, i.inID)
	t.memberClaims(c, i.client, i.UserID)
	return c
}

// accessClaims are those of a user's access token for the scopes' resource. t.mu is held.
func (t *Tenant) accessClaims(i issue) map[string]any {
	resource := i.scopes.Resource
	c := t.forResource(resource)
	c["sub"] = t.pairwise(resource.ClientID, i.UserID)
	c["oid"], c["name"], c["preferred_username"] = i.UserID, i.user.DisplayName, i.user.UserPrincipalName
	c["azp"], c["azpacr"], c["sid"] = i.client.ClientID, i.acr, i.SID
	c["scp"] = joined(i.scopes.Names)
	t.optional(c, resource.forAccess(), i, i.inAccess)
	if i.continuous && slices.Contains(resource.forAccess().OptionalClaims, "xms_cc") {
		c["xms_cc"] = []string{"cp1"} // so that the API knows that it may challenge
	}
	t.memberClaims(c, resource, i.UserID)
	return t.versioned(c, resource)
}

// appClaims are those of an app's own token: sub is oid, and there is neither scp nor sid.
func (t *Tenant) appClaims(client, resource App, acr string) map[string]any {
	c := t.forResource(resource)
	c["sub"], c["oid"] = client.PrincipalID, client.PrincipalID
	c["azp"], c["azpacr"] = client.ClientID, acr
	roles := t.rolesOf(resource, client.PrincipalID)
	if len(roles) > 0 {
		c["roles"] = roles
	}
	return t.versioned(c, resource)
}

// forAccess is the app with the optional claims of access tokens.
func (a App) forAccess() App {
	if a.AccessClaims != nil {
		a.OptionalClaims = a.AccessClaims
	}
	return a
}

// optional adds the claims that the app's manifest lists. acrs is there when the app lists it, with what the sign-in
// meets, or when the request asked for a context that the sign-in meets, or that no policy guards.
func (t *Tenant) optional(c map[string]any, app App, i issue, asked []string) {
	for _, name := range app.OptionalClaims {
		switch name {
		case "sid":
			c["sid"] = i.SID
		case "auth_time":
			c["auth_time"] = i.AuthTime.Unix()
		case "email":
			if i.user.Mail != "" {
				c["email"] = i.user.Mail
			}
		case "login_hint":
			c["login_hint"] = hintOf(i.UserID, t.org.TenantID)
		case "acct": // the user's account is of another tenant, or of this one
			c["acct"] = map[bool]int{true: 1, false: 0}[i.user.Home != ""]
		case "upn":
			c["upn"] = i.user.UserPrincipalName
		case "given_name":
			c["given_name"] = i.user.GivenName
		case "family_name":
			c["family_name"] = i.user.Surname
		}
	}
	var contexts []string
	if slices.Contains(app.OptionalClaims, "acrs") {
		contexts = t.contextsOf(i.signIn)
	}
	for _, context := range asked {
		if t.satisfied(i.signIn, context) {
			contexts = append(contexts, context)
		}
	}
	if len(contexts) > 0 {
		c["acrs"] = slices.Compact(slices.Sorted(slices.Values(contexts)))
	}
}

// memberClaims adds groups, or where to ask for them when there are too many, and roles.
func (t *Tenant) memberClaims(c map[string]any, app App, user string) {
	if roles := t.rolesOf(app, user); len(roles) > 0 {
		c["roles"] = roles
	}
	var groups []string
	switch app.GroupMembershipClaims {
	case "SecurityGroup", "All":
		groups = t.dir.groupsOf(user, true)
	case "ApplicationGroup": // assigned to the app, and the user a direct member
		for _, g := range t.dir.groupsOf(user, false) {
			if slices.ContainsFunc(t.dir.Assigned[app.PrincipalID], func(a Assignment) bool { return a.PrincipalID == g }) {
				groups = append(groups, g)
			}
		}
	}
	switch {
	case app.ImplicitTokens && len(groups) > implicitGroupLimit:
		c["hasgroups"] = true
	case len(groups) > groupLimit:
		// The endpoint is one of a service that no longer exists; clients must not follow it.
		c["_claim_names"] = map[string]string{"groups": "src1"}
		c["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": "https://graph.windows.net/" + t.org.TenantID + "/users/" + user + "/getMemberObjects",
		}}
	case len(groups) > 0:
		c["groups"] = groups
	}
}

// rolesOf are the app role values assigned to a principal or to a group it is in directly.
func (t *Tenant) rolesOf(app App, principal string) []string {
	direct := t.dir.groupsOf(principal, false)
	var values []string
	for _, a := range t.dir.Assigned[app.PrincipalID] {
		if a.PrincipalID != principal && !slices.Contains(direct, a.PrincipalID) {
			continue
		}
		for _, role := range app.AppRoles {
			if role.ID == a.AppRoleID && !role.Disabled {
				values = append(values, role.Value)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(values)))
}
