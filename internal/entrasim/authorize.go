package entrasim

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveAuthorize answers the authorization endpoint. A GET shows the sign-in page or, when the
// browser's session will do, answers the client at once. A POST from the page carries
// action=signin with username and password, or action=continue to go on with the session.
func (t *Tenant) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if err := r.ParseForm(); err != nil {
		t.errorPage(w, r, &stsError{OAuth: "invalid_request", Code: 90013, Message: "Invalid input received from the user."})
		return
	}
	req, page, refused := t.parseAuthRequest(r)
	if page != nil {
		t.errorPage(w, r, page)
		return
	}
	if refused != nil {
		t.refuse(w, r, req, refused)
		return
	}
	action := r.PostForm.Get("action")
	if action != "" && http.NewCrossOriginProtection().Check(r) != nil {
		http.Error(w, "This form may be sent from the tenant's own page only.", http.StatusForbidden)
		return
	}
	if action == "signin" {
		t.servePassword(w, r, req)
		return
	}
	if action == "mfa" || action == "accept" || action == "decline" {
		req.Prompt = "" // the person was asked on the page before
	}
	session, refused := t.usableSession(r, req)
	switch {
	case action == "mfa" && refused != nil && refused.Code == 50076:
		t.serveSecondFactor(w, r, req, session)
	case refused == nil && (action == "accept" || action == "decline"):
		t.serveConsent(w, r, req, session)
	case refused == nil && (req.Prompt != "select_account" || action == "continue"):
		t.goOn(w, r, req, session)
	case req.Prompt == "none":
		t.refuse(w, r, req, silent(refused))
	case refused != nil && refused.Claims != "" && refused.Code != 70043:
		t.turnAway(w, r, req, session, refused)
	default:
		t.signInPage(w, r, req, nil)
	}
}

// usableSession is the browser's session if it answers the request without asking the person.
// Otherwise the refusal is what a request with prompt=none gets; where a policy refuses it, the session is given too.
func (t *Tenant) usableSession(r *http.Request, req authRequest) (signIn, *stsError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	session := t.session(r)
	if session == nil {
		return signIn{}, &stsError{OAuth: "login_required", Code: 50058, Message: "A silent sign-in request was sent but no user is signed in."}
	}
	user, lost := t.standing(session.signIn)
	if lost != nil {
		lost.OAuth = "login_required"
		return signIn{}, lost
	}
	if req.Prompt == "login" {
		return signIn{}, &stsError{OAuth: "login_required", Code: 50058, Message: "The request asks for a new sign-in."}
	}
	if req.LoginHint != "" && !strings.EqualFold(req.LoginHint, user.UserPrincipalName) {
		return signIn{}, &stsError{OAuth: "interaction_required", Code: 16000, Message: "The signed-in user is not the one that the request names."}
	}
	if req.MaxAge >= 0 && t.now().Sub(session.AuthTime) > req.MaxAge {
		return signIn{}, &stsError{OAuth: "login_required", Code: 70043, Message: "The sign-in is older than the request allows."}
	}
	if refused := t.meets(session.signIn, req.contexts()); refused != nil {
		return signIn{}, refused
	}
	scopes, _ := t.readScopes(req.Scope, req.Client, session.UserID) // read before without an error
	return session.signIn, t.conditional(session.signIn, wanted(req.Client, scopes, req.contexts()))
}

// silent is a refusal as a client is told of it that asked for no page.
func silent(e *stsError) *stsError {
	if e.OAuth != "login_required" {
		e.OAuth = "interaction_required"
	}
	return e
}

// servePassword checks user name and password. A wrong one is shown on the page, so that the
// person may try again; a right one starts a new session under a new cookie.
func (t *Tenant) servePassword(w http.ResponseWriter, r *http.Request, req authRequest) {
	t.mu.Lock()
	user, wrong := t.checkPassword(r, req.Client)
	if wrong != nil {
		t.mu.Unlock()
		t.log.Info("the tenant refused a sign-in", "user", r.PostForm.Get("username"), "aadsts", wrong.Code)
		t.signInPage(w, r, req, wrong)
		return
	}
	made := t.startSession(w, r, user, req.contexts())
	t.mu.Unlock()
	t.goOn(w, r, req, made)
}

// goOn answers a request whose person is known: when policies, assignment and consent allow, with a code.
func (t *Tenant) goOn(w http.ResponseWriter, r *http.Request, req authRequest, s signIn) {
	t.mu.Lock()
	scopes, refused := t.readScopes(req.Scope, req.Client, s.UserID)
	if refused == nil {
		refused = t.conditional(s, wanted(req.Client, scopes, req.contexts()))
	}
	if refused == nil {
		refused = t.checkAssigned(req.Client, s.UserID)
	}
	var lacks []string
	if refused == nil {
		lacks = t.lacksConsent(scopes, req.Client, s.UserID)
	}
	t.mu.Unlock()
	switch {
	case refused != nil && req.Prompt == "none":
		t.refuse(w, r, req, silent(refused))
	case refused != nil:
		t.turnAway(w, r, req, s, refused)
	case len(lacks) > 0 && req.Prompt == "none":
		t.refuse(w, r, req, silent(errConsent(req.Client)))
	case len(lacks) > 0, req.Prompt == "consent":
		t.consentPage(w, r, req, s, scopes, lacks)
	default:
		t.answerCode(w, r, req, s)
	}
}

// turnAway shows why a sign-in does not go on, or asks for the second factor that it lacks.
func (t *Tenant) turnAway(w http.ResponseWriter, r *http.Request, req authRequest, s signIn, refused *stsError) {
	if refused.Code == 50076 {
		t.secondFactorPage(w, req, r, s, "")
		return
	}
	t.mu.Lock()
	t.logOutcome(r, req, s, refused, fromBrowser)
	t.mu.Unlock()
	t.refusalPage(w, r, req, refused)
}

// checkPassword finds who a sign-in form names, and checks the password; a wrong one is logged. t.mu is held.
func (t *Tenant) checkPassword(r *http.Request, app App) (*userRow, *stsError) {
	name, password := strings.TrimSpace(r.PostForm.Get("username")), r.PostForm.Get("password")
	user := t.dir.findUser(name)
	var wrong *stsError
	switch {
	case user == nil:
		wrong = &stsError{Code: 50034, Message: "The user account " + name + " does not exist in the " + t.org.Name +
			" directory. To sign into this application, the account must be added to the directory."}
	case user.Password == "" || subtle.ConstantTimeCompare([]byte(user.Password), []byte(password)) != 1:
		wrong = &stsError{Code: 50126, Message: "Error validating credentials due to invalid username or password."}
	case !user.AccountEnabled:
		wrong = errDisabled()
	}
	if wrong != nil {
		t.logSignIn(r, app, user, name, wrong)
	}
	return user, wrong
}

// meets refuses a sign-in that lacks an authentication context which a policy guards. t.mu is held.
func (t *Tenant) meets(s signIn, contexts []string) *stsError {
	for _, context := range contexts {
		if slices.Contains(t.org.StepUp, context) && !slices.Contains(s.Contexts, context) {
			return &stsError{OAuth: "interaction_required", Sub: "basic_action", Code: 50076, Message: mfaMessage}
		}
	}
	return nil
}

// answerCode gives the client a code.
func (t *Tenant) answerCode(w http.ResponseWriter, r *http.Request, req authRequest, s signIn) {
	t.mu.Lock()
	id := t.logOutcome(r, req, s, nil, fromBrowser)
	code := "1." + randomID(48)
	t.grants.Codes[hashed(code)] = &authCode{
		signIn: s, ClientID: req.Client.ClientID, RedirectURI: req.RedirectURI, Challenge: req.Challenge, Nonce: req.Nonce,
		Scope: req.Scope, AskedInID: req.AskedInID, AskedInAccess: req.AskedInAccess,
		Continuous: req.Continuous, TokenID: tokenID(id), Expires: t.now().Add(codeLife),
	}
	for _, session := range t.grants.Sessions {
		if session.SID == s.SID {
			session.Apps[req.Client.ClientID] = true
		}
	}
	t.saveGrants()
	t.mu.Unlock()
	params := url.Values{"code": {code}, "session_state": {s.SID}}
	if req.ClientInfo {
		params.Set("client_info", t.clientInfo(s.UserID))
	}
	t.answer(w, r, req, params)
}

// refuse sends the refusal to the client (RFC 6749, section 4.1.2.1).
func (t *Tenant) refuse(w http.ResponseWriter, r *http.Request, req authRequest, e *stsError) {
	t.log.Info("the tenant refused an authorization request", "error", e.OAuth, "aadsts", e.Code)
	t.answer(w, r, req, url.Values{"error": {e.OAuth}, "error_description": {e.description(t.newTrace(r))}})
}

// answer sends parameters to the redirect URI in the mode that the client asked for.
func (t *Tenant) answer(w http.ResponseWriter, r *http.Request, req authRequest, params url.Values) {
	if req.State != "" {
		params.Set("state", req.State)
	}
	if req.ResponseMode == "form_post" {
		t.formPost(w, req.RedirectURI, params)
		return
	}
	http.Redirect(w, r, redirectTo(req.RedirectURI, params, req.ResponseMode == "fragment"), http.StatusFound)
}

// checkAssigned refuses who is not assigned to an app that wants an assignment. t.mu is held.
func (t *Tenant) checkAssigned(app App, user string) *stsError {
	if !app.AssignmentRequired || t.assigned(app, user) {
		return nil
	}
	return &stsError{OAuth: "access_denied", Code: 50105, Message: "Your administrator has configured the application " +
		app.Name + " ('" + app.ClientID + "') to block users unless they are specifically granted ('assigned') access to the application. The signed in user is blocked because they are " +
		"not a direct member of a group with access, nor had access directly assigned by an administrator. Please contact your administrator to assign access to this application."}
}

// assigned reports whether a user is assigned to the app, by himself or as a direct member of an
// assigned group: assignment does not reach through nested groups. t.mu is held.
func (t *Tenant) assigned(app App, user string) bool {
	direct := t.dir.groupsOf(user, false)
	return slices.ContainsFunc(t.dir.Assigned[app.PrincipalID], func(a Assignment) bool {
		return a.PrincipalID == user || slices.Contains(direct, a.PrincipalID)
	})
}
