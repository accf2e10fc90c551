package entrasim

import (
	"net/http"
	"strings"
)

// serveDevicePage shows the page on which a person types the code that an app without a browser shows.
func (t *Tenant) serveDevicePage(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	t.devicePage(w, http.StatusOK, map[string]any{})
}

// serveDeviceForm takes the page's forms: a code; then action=signin with username and password, action=continue to go
// on with the browser's session, action=mfa with the second factor that a policy wants, or action=decline.
func (t *Tenant) serveDeviceForm(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		t.devicePage(w, http.StatusBadRequest, map[string]any{"Error": "The form cannot be read."})
		return
	}
	code := strings.ToUpper(strings.TrimSpace(r.PostForm.Get("code")))
	asked, app, found := t.openDevice(code)
	if !found {
		t.devicePage(w, http.StatusOK, map[string]any{"Error": "That code didn't work. Check the code and try again.", "Code": 70018})
		return
	}
	data := map[string]any{"UserCode": code, "App": app.Name, "Organisation": t.org.Name, "Hint": t.org.PasswordHint, "SignedIn": t.deviceSession(r),
		"Chosen": r.PostForm.Get("username"), "Devices": t.wantsDevice()}
	switch action := r.PostForm.Get("action"); action {
	case "signin", "continue", "mfa":
		by, refused := t.devicePerson(w, r, app, asked)
		if refused == nil {
			refused = t.approveDevice(r, code, app, by)
		}
		if refused != nil && refused.Code == 50076 && by.SID != "" {
			data["Shown"] = t.secondFactor(by)
			if action == "mfa" {
				data["Error"], data["Code"] = "AADSTS50074: The code is not right.", 50074
			}
			break
		}
		if refused != nil {
			t.log.Info("the tenant refused a device's sign-in", "aadsts", refused.Code)
			data["Error"], data["Code"] = refused.Error(), refused.Code
			break
		}
		data["Done"] = "You have signed in to " + app.Name + " on your device. You may now close this window."
	case "decline":
		t.answerDevice(code, deviceDeclined, signIn{})
		data["Done"] = "You declined the request of " + app.Name + ". You may now close this window."
	}
	t.devicePage(w, http.StatusOK, data)
}

func (t *Tenant) devicePage(w http.ResponseWriter, status int, data map[string]any) {
	t.render(w, status, "device.html", "form-action 'self'", data)
}

// openDevice finds what waits for an answer under a user code.
func (t *Tenant) openDevice(code string) (deviceRequest, App, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := t.deviceOf(code)
	if asked == nil {
		return deviceRequest{}, App{}, false
	}
	app, known := t.app(asked.ClientID)
	return *asked, app, known
}

// deviceOf finds an open request by its user code, or nil. t.mu is held.
func (t *Tenant) deviceOf(code string) *deviceRequest {
	for _, asked := range t.grants.Devices {
		if code != "" && asked.UserCode == code && asked.Answer == deviceOpen && t.now().Before(asked.Expires) {
			return asked
		}
	}
	return nil
}

// deviceSession is the user principal name of who is signed in in this browser, or empty.
func (t *Tenant) deviceSession(r *http.Request) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.session(r); s != nil {
		if u, lost := t.standing(s.signIn); lost == nil {
			return u.UserPrincipalName
		}
	}
	return ""
}

// devicePerson is who answers for a device, by a form of its page.
func (t *Tenant) devicePerson(w http.ResponseWriter, r *http.Request, app App, asked deviceRequest) (signIn, *stsError) {
	if r.PostForm.Get("action") == "signin" {
		return t.devicePassword(w, r, app, asked)
	}
	req := authRequest{Client: app, Scope: asked.Scope, MaxAge: -1, AskedInID: asked.AskedInID, AskedInAccess: asked.AskedInAccess}
	by, refused := t.usableSession(r, req)
	if r.PostForm.Get("action") == "mfa" && refused != nil && refused.Code == 50076 && t.giveSecondFactor(r, r.PostForm.Get("factor"), by) {
		return t.usableSession(r, req)
	}
	return by, refused
}

func (t *Tenant) devicePassword(w http.ResponseWriter, r *http.Request, app App, asked deviceRequest) (signIn, *stsError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	user, wrong := t.checkPassword(r, app)
	if wrong != nil {
		return signIn{}, wrong
	}
	return t.startSession(w, r, user, authRequest{AskedInID: asked.AskedInID, AskedInAccess: asked.AskedInAccess}.contexts()), nil
}

// approveDevice gives the device the sign-in, unless the app wants an assignment that the user has not.
func (t *Tenant) approveDevice(r *http.Request, code string, app App, by signIn) *stsError {
	t.mu.Lock()
	refused := t.checkAssigned(app, by.UserID)
	if asked := t.deviceOf(code); refused == nil && asked != nil {
		scopes, _ := t.readScopes(asked.Scope, app, by.UserID) // read before without an error
		refused = t.conditional(by, wanted(app, scopes, append(asked.AskedInID, asked.AskedInAccess...)))
		t.logOutcome(r, authRequest{Client: app, Scope: asked.Scope, AskedInID: asked.AskedInID, AskedInAccess: asked.AskedInAccess}, by, refused, fromDevice)
	}
	t.mu.Unlock()
	if refused == nil {
		t.answerDevice(code, deviceApproved, by)
	}
	return refused
}

func (t *Tenant) answerDevice(code string, answer deviceAnswer, by signIn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if asked := t.deviceOf(code); asked != nil {
		asked.Answer, asked.By = answer, by
		t.saveGrants()
	}
}
