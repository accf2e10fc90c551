package entrasim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// onBehalfGrantType is the grant of an API that calls another as the person who called it.
//
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
const onBehalfGrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// onBehalf exchanges a person's token for the client for one of another resource.
func (t *Tenant) onBehalf(r *http.Request, client App, acr string) (*tokenResponse, *stsError) {
	if acr == "0" {
		return nil, errNoCredential()
	}
	if r.PostForm.Get("requested_token_use") != "on_behalf_of" {
		return nil, missing("requested_token_use")
	}
	assertion := r.PostForm.Get("assertion")
	if assertion == "" {
		return nil, missing("assertion")
	}
	var asked authRequest
	if refused := asked.parseClaims(r.PostForm.Get("claims")); refused != nil {
		return nil, refused
	}
	by, refused := t.checkOnBehalf(assertion, client)
	if refused != nil {
		return nil, refused
	}
	t.mu.Lock()
	out, refused := t.onBehalfIssue(by, r.PostForm.Get("scope"), client, asked)
	t.mu.Unlock()
	if refused != nil {
		if refused.OAuth == "interaction_required" {
			refused.Claims = or(r.PostForm.Get("claims"), refused.Claims)
		}
		return nil, refused
	}
	out.acr = acr
	return t.issue(r, out)
}

// checkOnBehalf reads whose sign-in a token stands for that was issued for the client.
func (t *Tenant) checkOnBehalf(assertion string, client App) (signIn, *stsError) {
	refuse := func(code int, message string) (signIn, *stsError) {
		return signIn{}, &stsError{OAuth: "invalid_grant", Code: code, Message: message}
	}
	payload, err := t.verify(assertion)
	var c struct {
		Audience string   `json:"aud"`
		Issuer   string   `json:"iss"`
		Issued   int64    `json:"iat"`
		Expires  int64    `json:"exp"`
		Object   string   `json:"oid"`
		Session  string   `json:"sid"`
		Scopes   string   `json:"scp"`
		Contexts []string `json:"acrs"`
	}
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Issuer != t.Issuer() && c.Issuer != t.v1Issuer() {
		return refuse(50013, "Assertion failed signature validation.")
	}
	issued := time.Unix(c.Issued, 0).Add(backDated)
	switch {
	case !client.is(c.Audience):
		return refuse(500131, "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '"+c.Audience+
			"' and the expected audience is '"+strings.Join(append([]string{"api://" + client.ClientID}, client.IdentifierURIs...), "' or '")+
			"' or one of the Application Uris of this application with App ID '"+client.ClientID+"'("+client.Name+").")
	case t.now().Unix() >= c.Expires:
		return refuse(500133, "Assertion is not within its valid time range.")
	case c.Scopes == "" || c.Object == "":
		return refuse(7000114, "Application '"+client.ClientID+"' is not allowed to make application on-behalf-of calls.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	by := signIn{SID: c.Session, UserID: c.Object, AuthTime: issued, Contexts: c.Contexts}
	if u := t.dir.user(c.Object); u != nil {
		if by.Epoch = u.Epoch; issued.Before(u.SignInsValidFrom.Truncate(time.Second)) {
			by.Epoch-- // it is of a sign-in that was revoked since
		}
	}
	return by, nil
}

// onBehalfIssue is what the exchange gives. t.mu is held.
func (t *Tenant) onBehalfIssue(by signIn, scope string, client App, asked authRequest) (issue, *stsError) {
	user, refused := t.standing(by)
	if refused != nil {
		return issue{}, refused
	}
	if scope == "" {
		return issue{}, missing("scope")
	}
	scopes, refused := t.parseScopes(scope, client, by.UserID)
	if refused != nil {
		return issue{}, refused
	}
	if refused := t.allowed(by, client, scopes, asked.contexts()); refused != nil {
		return issue{}, refused
	}
	return issue{signIn: by, client: client, scopes: scopes, user: user.User, refresh: scopes.Offline,
		inID: asked.AskedInID, inAccess: asked.AskedInAccess, continuous: asked.Continuous}, nil
}
