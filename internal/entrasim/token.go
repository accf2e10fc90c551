package entrasim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"
)

// tokenResponse is the token endpoint's success (RFC 6749, section 5.1, with Entra's additions).
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ClientInfo   string `json:"client_info,omitempty"`
}

func (t *Tenant) tokenEndpoint() string { return t.url + "/" + t.org.TenantID + "/oauth2/v2.0/token" }

func (t *Tenant) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		t.writeSTS(w, r, &stsError{OAuth: "invalid_request", Code: 9002313, Message: "Invalid request. Request is malformed or invalid."})
		return
	}
	answer, refused := t.token(r)
	if refused != nil {
		t.writeSTS(w, r, refused)
		return
	}
	t.stsHeaders(w)
	writeJSON(w, http.StatusOK, answer)
}

func (t *Tenant) token(r *http.Request) (*tokenResponse, *stsError) {
	if _, unknown := t.issuerFor(r.PathValue("tenant")); unknown != nil {
		return nil, unknown
	}
	if r.PostForm.Has("resource") {
		return nil, &stsError{OAuth: "invalid_request", Code: 901002, Message: "The 'resource' request parameter is not supported."}
	}
	grantType := r.PostForm.Get("grant_type")
	if grantType == "" {
		return nil, missing("grant_type")
	}
	client, acr, refused := t.authenticateClient(r)
	if refused != nil {
		return nil, refused
	}
	if refused := t.checkAuthority(r.PathValue("tenant"), client); refused != nil {
		return nil, refused
	}
	switch grantType {
	case "authorization_code":
		return t.redeemCode(r, client, acr)
	case "refresh_token":
		return t.redeemRefresh(r, client, acr)
	case "client_credentials":
		return t.appToken(r, client, acr)
	case deviceGrantType, deviceGrantTypeOld:
		return t.redeemDevice(r, client, acr)
	case onBehalfGrantType:
		return t.onBehalf(r, client, acr)
	}
	return nil, &stsError{OAuth: "unsupported_grant_type", Code: 70003, Message: "The app requested an unsupported grant type '" + grantType + "'."}
}

// issue is what a token answer for a person is made of.
type issue struct {
	signIn
	client   App
	acr      string
	scopes   scopes
	user     User
	nonce    string
	inID     []string // acrs of the ID token
	inAccess []string // acrs of the access token
	refresh  bool
	tokenID  string // uti of both tokens; empty: one is made
	// continuous: the client understands claims challenges.
	continuous bool
}

// redeemCode takes an authorization code once, within its ten minutes, from the client it was made
// for, with the verifier of its challenge (RFC 7636).
func (t *Tenant) redeemCode(r *http.Request, client App, acr string) (*tokenResponse, *stsError) {
	value := r.PostForm.Get("code")
	if value == "" {
		return nil, missing("code")
	}
	t.mu.Lock()
	code := t.grants.Codes[hashed(value)]
	var refused *stsError
	switch {
	case code == nil || code.ClientID != client.ClientID:
		refused = &stsError{OAuth: "invalid_grant", Code: 70000, Message: "The provided value for the 'code' parameter is not valid."}
	case code.Used:
		refused = &stsError{OAuth: "invalid_grant", Code: 54005, Message: "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."}
	case !t.now().Before(code.Expires):
		refused = &stsError{OAuth: "invalid_grant", Code: 70008, Message: "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."}
	case code.RedirectURI != r.PostForm.Get("redirect_uri"):
		refused = &stsError{OAuth: "invalid_grant", Code: 500112, Message: "The reply address '" + r.PostForm.Get("redirect_uri") +
			"' does not match the reply address '" + code.RedirectURI + "' provided when requesting Authorization code."}
	case acr == "0" && !client.Public && !client.native(code.RedirectURI):
		refused = errNoCredential()
	case !verifierFits(code.Challenge, r.PostForm.Get("code_verifier")):
		refused = &stsError{OAuth: "invalid_grant", Code: 501481, Message: "The Code_Verifier does not match the code_challenge supplied in the authorization request."}
	}
	if code != nil && code.ClientID == client.ClientID && !code.Used {
		code.Used = true // one attempt: a stolen code is not tried with several verifiers
		t.saveGrants()
	}
	if refused != nil {
		t.mu.Unlock()
		return nil, refused
	}
	user, refused := t.standing(code.signIn)
	scopes, wrong := t.parseScopes(withOpenID(code.Scope, r.PostForm.Get("scope")), client, code.UserID)
	if refused == nil {
		refused = wrong
	}
	if refused != nil {
		t.mu.Unlock()
		return nil, refused
	}
	out := issue{signIn: code.signIn, client: client, acr: acr, scopes: scopes, user: user.User, nonce: code.Nonce,
		inID: code.AskedInID, inAccess: code.AskedInAccess, refresh: scopes.Offline, continuous: code.Continuous, tokenID: code.TokenID}
	t.mu.Unlock()
	return t.issue(r, out)
}

func verifierFits(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// redeemRefresh makes new tokens, for the scope of the sign-in or for another resource's. The token
// that was redeemed stays valid, as at Entra.
func (t *Tenant) redeemRefresh(r *http.Request, client App, acr string) (*tokenResponse, *stsError) {
	value := r.PostForm.Get("refresh_token")
	if value == "" {
		return nil, missing("refresh_token")
	}
	var asked authRequest
	if refused := asked.parseClaims(r.PostForm.Get("claims")); refused != nil {
		return nil, refused
	}
	out, refused := t.checkRefresh(value, r.PostForm.Get("scope"), client, acr, asked.contexts())
	if refused != nil {
		if refused.OAuth == "interaction_required" {
			refused.Claims = or(r.PostForm.Get("claims"), refused.Claims)
		}
		return nil, refused
	}
	out.acr, out.inID, out.inAccess, out.continuous = acr, asked.AskedInID, asked.AskedInAccess, asked.Continuous
	return t.issue(r, out)
}

// checkRefresh decides whether a refresh token may be redeemed now, for these scopes and contexts.
func (t *Tenant) checkRefresh(value, scope string, client App, acr string, contexts []string) (issue, *stsError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	grant := t.grants.Refresh[hashed(value)]
	if grant == nil || grant.ClientID != client.ClientID {
		return issue{}, &stsError{OAuth: "invalid_grant", Code: 70000, Message: "The provided value for the input parameter 'refresh_token' is not valid."}
	}
	if acr == "0" && !client.Public && !grant.Native {
		return issue{}, errNoCredential()
	}
	if !t.now().Before(grant.Expires) {
		return issue{}, &stsError{OAuth: "invalid_grant", Code: 700082, Sub: "token_expired", Message: "The refresh token has expired due to inactivity. The token was issued on " +
			grant.AuthTime.UTC().Format(time.RFC3339) + " and was inactive for 90.00:00:00."}
	}
	user, refused := t.standing(grant.signIn)
	if refused != nil {
		return issue{}, refused
	}
	if scope == "" {
		scope = grant.Scope
	}
	scopes, refused := t.parseScopes(scope, client, grant.UserID)
	if refused != nil {
		return issue{}, refused
	}
	if refused := t.allowed(grant.signIn, client, scopes, contexts); refused != nil {
		return issue{}, refused
	}
	grant.Expires = t.now().Add(refreshLife)
	return issue{signIn: grant.signIn, client: client, scopes: scopes, user: user.User, refresh: true}, nil
}

// issue signs the tokens. t.mu is not held.
func (t *Tenant) issue(r *http.Request, i issue) (*tokenResponse, *stsError) {
	answer := &tokenResponse{TokenType: "Bearer", Scope: i.scopes.Granted}
	t.mu.Lock()
	access, id := t.accessClaims(i), map[string]any(nil)
	access["uti"] = or(i.tokenID, tokenID(newGUID()))
	answer.ExpiresIn = stretch(access, i.scopes.Resource, i.continuous)
	answer.ExtExpiresIn = answer.ExpiresIn
	if i.scopes.OpenID {
		id = t.idClaims(i)
		id["uti"] = access["uti"] // both are of one request
	}
	if i.refresh {
		answer.RefreshToken = "1." + randomID(64)
		t.grants.Refresh[hashed(answer.RefreshToken)] = &refreshToken{
			signIn: i.signIn, ClientID: i.client.ClientID, Scope: i.scopes.Granted, Native: i.acr == "0", Expires: t.now().Add(refreshLife),
		}
		t.saveGrants()
	}
	t.mu.Unlock()
	var err error
	if answer.AccessToken, err = t.sign(access); err != nil {
		return nil, t.internal(err)
	}
	if id != nil {
		if answer.IDToken, err = t.sign(id); err != nil {
			return nil, t.internal(err)
		}
	}
	if r.PostForm.Get("client_info") == "1" {
		answer.ClientInfo = t.clientInfo(i.UserID)
	}
	return answer, nil
}

// clientInfo names who signed in for Microsoft's libraries, which keep accounts by it.
func (t *Tenant) clientInfo(user string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"uid":"` + user + `","utid":"` + t.org.TenantID + `"}`))
}

// appToken answers client_credentials: a token for the app itself, without refresh.
func (t *Tenant) appToken(r *http.Request, client App, acr string) (*tokenResponse, *stsError) {
	if acr == "0" {
		return nil, errNoCredential()
	}
	var asked authRequest
	if refused := asked.parseClaims(r.PostForm.Get("claims")); refused != nil {
		return nil, refused
	}
	t.mu.Lock()
	resource, refused := t.appScope(r.PostForm.Get("scope"))
	var claims map[string]any
	seconds := 0
	if refused == nil {
		claims = t.appClaims(client, resource, acr)
		seconds = stretch(claims, resource, asked.Continuous)
	}
	t.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	token, err := t.sign(claims)
	if err != nil {
		return nil, t.internal(err)
	}
	return &tokenResponse{TokenType: "Bearer", ExpiresIn: seconds, ExtExpiresIn: seconds, AccessToken: token}, nil
}

func (t *Tenant) internal(err error) *stsError {
	t.log.Error("the tenant failed", "error", err)
	return &stsError{Status: http.StatusInternalServerError, OAuth: "server_error", Code: 90033, Message: "A transient error has occurred. Please try again."}
}
