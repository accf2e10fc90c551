package entrasim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authRequest is a checked authorization request (OpenID Connect Core 3.1.2.1).
type authRequest struct {
	Client       App
	RedirectURI  string
	ResponseMode string // query, fragment, form_post
	State        string
	Nonce        string
	Scope        string
	Challenge    string
	Prompt       string // "", none, login, consent, select_account
	LoginHint    string
	MaxAge       time.Duration // negative: not asked
	// AskedInID and AskedInAccess are the authentication contexts that the claims parameter wants.
	AskedInID, AskedInAccess []string
	Continuous               bool // the client understands claims challenges (xms_cc: cp1)
	ClientInfo               bool // it wants to be told who signed in beside the code
}

// parseAuthRequest checks the parameters. An error of kind page must not be sent to the redirect
// URI, since that is not known to be the client's; any other is.
func (t *Tenant) parseAuthRequest(r *http.Request) (req authRequest, page, refused *stsError) {
	if _, unknown := t.issuerFor(r.PathValue("tenant")); unknown != nil {
		return req, unknown, nil
	}
	if page := t.parseClient(r, &req); page != nil {
		return req, page, nil
	}
	if page := t.checkAuthority(r.PathValue("tenant"), req.Client); page != nil {
		return req, page, nil
	}
	req.State, req.Nonce, req.Scope = r.FormValue("state"), r.FormValue("nonce"), r.FormValue("scope")
	req.Prompt, req.LoginHint = r.FormValue("prompt"), t.hinted(r.FormValue("login_hint"))
	req.ClientInfo = r.FormValue("client_info") == "1"
	return req, nil, t.parseRest(r, &req)
}

func (t *Tenant) parseClient(r *http.Request, req *authRequest) *stsError {
	id := r.FormValue("client_id")
	if id == "" {
		return missing("client_id")
	}
	t.mu.Lock()
	client, known := t.app(id)
	t.mu.Unlock()
	if !known {
		return t.unknownClient(id)
	}
	if unusable := client.usable(t.org.Name); unusable != nil {
		return unusable
	}
	req.Client, req.RedirectURI = client, r.FormValue("redirect_uri")
	if req.RedirectURI == "" && len(client.RedirectURIs) > 0 {
		req.RedirectURI = client.RedirectURIs[0]
	}
	if !client.returnsTo(req.RedirectURI) {
		return &stsError{OAuth: "invalid_request", Code: 50011, Message: "The redirect URI '" + req.RedirectURI + "' specified in the request does not match " +
			"the redirect URIs configured for the application '" + client.ClientID + "'. Make sure the redirect URI sent in the request matches one added to your application."}
	}
	return nil
}

func (t *Tenant) unknownClient(id string) *stsError {
	return &stsError{OAuth: "unauthorized_client", Code: 700016, Message: "Application with identifier '" + id + "' was not found in the directory '" + t.org.Name +
		"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. " +
		"You may have sent your authentication request to the wrong tenant."}
}

func (t *Tenant) parseRest(r *http.Request, req *authRequest) *stsError {
	switch req.ResponseMode = r.FormValue("response_mode"); req.ResponseMode {
	case "":
		req.ResponseMode = "query"
	case "query", "fragment", "form_post":
	default:
		req.ResponseMode = "query"
		return &stsError{OAuth: "invalid_request", Code: 70007, Message: "The provided value for the input parameter 'response_mode' is not valid."}
	}
	switch kind := r.FormValue("response_type"); kind {
	case "code":
	case "":
		return missing("response_type")
	case "id_token", "code id_token", "id_token token":
		return &stsError{OAuth: "unsupported_response_type", Code: 700054, Message: "response_type 'id_token' is not enabled for the application."}
	default:
		return &stsError{OAuth: "unsupported_response_type", Code: 70005, Message: "The response type '" + kind + "' is not supported."}
	}
	if req.Scope == "" {
		return missing("scope")
	}
	if !slices.Contains([]string{"", "none", "login", "consent", "select_account"}, req.Prompt) {
		return &stsError{OAuth: "invalid_request", Code: 90023, Message: "Unsupported 'prompt' value."}
	}
	if req.Prompt == "select_account" && req.LoginHint != "" {
		req.LoginHint = "" // the two exclude each other; the person chooses
	}
	req.Challenge = r.FormValue("code_challenge")
	if method := r.FormValue("code_challenge_method"); req.Challenge != "" && method != "S256" {
		return &stsError{OAuth: "invalid_request", Code: 501481, Message: "The code_challenge_method '" + method + "' is not accepted here; use S256."}
	}
	if req.Challenge != "" && len(req.Challenge) != 43 {
		return &stsError{OAuth: "invalid_request", Code: 501491, Message: "Invalid size of Code_Challenge parameter."}
	}
	req.MaxAge = -1
	if age, err := strconv.Atoi(r.FormValue("max_age")); err == nil && age >= 0 {
		req.MaxAge = time.Duration(age) * time.Second
	}
	t.mu.Lock()
	_, refused := t.readScopes(req.Scope, req.Client, "")
	t.mu.Unlock()
	if refused != nil {
		return refused
	}
	return req.parseClaims(r.FormValue("claims"))
}

// parseClaims reads the acrs and the capabilities of the claims parameter (OpenID Connect Core 5.5).
func (req *authRequest) parseClaims(param string) *stsError {
	if param == "" {
		return nil
	}
	type asked struct {
		Acrs *struct {
			Value  string   `json:"value"`
			Values []string `json:"values"`
		} `json:"acrs"`
		Capabilities *struct {
			Values []string `json:"values"`
		} `json:"xms_cc"`
	}
	var claims struct {
		IDToken     asked `json:"id_token"`
		AccessToken asked `json:"access_token"`
	}
	if json.Unmarshal([]byte(param), &claims) != nil {
		return &stsError{OAuth: "invalid_request", Code: 90023, Message: "The 'claims' parameter is not valid JSON."}
	}
	list := func(a asked) []string {
		if a.Acrs == nil {
			return nil
		}
		if a.Acrs.Value != "" {
			return []string{a.Acrs.Value}
		}
		return a.Acrs.Values
	}
	req.AskedInID, req.AskedInAccess = list(claims.IDToken), list(claims.AccessToken)
	req.Continuous = claims.AccessToken.Capabilities != nil && understandsChallenges(claims.AccessToken.Capabilities.Values)
	return nil
}

// contexts are all authentication contexts that the request wants.
func (req authRequest) contexts() []string {
	return slices.Concat(req.AskedInID, req.AskedInAccess)
}

func missing(parameter string) *stsError {
	return &stsError{OAuth: "invalid_request", Code: 900144,
		Message: "The request body must contain the following parameter: '" + parameter + "'."}
}

// redirectTo adds parameters to the redirect URI, keeping those it has.
func redirectTo(uri string, params url.Values, fragment bool) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri // a registered URI; it was parsed before
	}
	if fragment {
		return strings.TrimSuffix(uri, "#") + "#" + params.Encode()
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	return u.String()
}
