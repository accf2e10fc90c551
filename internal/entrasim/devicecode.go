package entrasim

import (
	"crypto/rand"
	"net/http"
	"time"
)

const (
	deviceLife     = 15 * time.Minute
	deviceInterval = 5 // seconds between two questions of a client
	devicePath     = "/device"
)

// Grant types of the device code flow: of RFC 8628, and of before it, which Microsoft's libraries send too.
const (
	deviceGrantType    = "urn:ietf:params:oauth:grant-type:device_code"
	deviceGrantTypeOld = "device_code"
)

// deviceRequest is what an app without a browser asked for (RFC 8628), until a person has answered with its user code.
type deviceRequest struct {
	UserCode      string
	ClientID      string
	Scope         string
	AskedInID     []string
	AskedInAccess []string
	Continuous    bool
	Expires       time.Time
	Answer        deviceAnswer
	By            signIn // when Answer is deviceApproved
}

type deviceAnswer int

const (
	deviceOpen deviceAnswer = iota
	deviceApproved
	deviceDeclined
)

// deviceResponse is Entra's answer to a device authorization request, with its message for people.
//
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code#device-authorization-response
type deviceResponse struct {
	UserCode        string `json:"user_code"`
	DeviceCode      string `json:"device_code"`
	VerificationURI string `json:"verification_uri"`
	ExpiresIn       int    `json:"expires_in"`
	Interval        int    `json:"interval"`
	Message         string `json:"message"`
}

func (t *Tenant) serveDeviceCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	answer, refused := t.deviceCode(r)
	if refused != nil {
		t.writeSTS(w, r, refused)
		return
	}
	t.stsHeaders(w)
	writeJSON(w, http.StatusOK, answer)
}

func (t *Tenant) deviceCode(r *http.Request) (*deviceResponse, *stsError) {
	if err := r.ParseForm(); err != nil {
		return nil, &stsError{OAuth: "invalid_request", Code: 9002313, Message: "Invalid request. Request is malformed or invalid."}
	}
	id := r.PostForm.Get("client_id")
	if id == "" {
		return nil, missing("client_id")
	}
	t.mu.Lock()
	client, known := t.app(id)
	t.mu.Unlock()
	if !known {
		return nil, t.unknownClient(id)
	}
	if refused := t.checkAuthority(r.PathValue("tenant"), client); refused != nil {
		return nil, refused
	}
	if !client.Public {
		return nil, &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 70002,
			Message: "The provided client is not supported for this feature. The client application must be marked as 'mobile.'"}
	}
	var asked authRequest
	if refused := asked.parseClaims(r.PostForm.Get("claims")); refused != nil {
		return nil, refused
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	scope := r.PostForm.Get("scope")
	if scope == "" {
		return nil, missing("scope")
	}
	if _, refused := t.readScopes(scope, client, ""); refused != nil {
		return nil, refused
	}
	code, user := "1."+randomID(64), newUserCode()
	t.grants.Devices[hashed(code)] = &deviceRequest{
		UserCode: user, ClientID: client.ClientID, Scope: scope, AskedInID: asked.AskedInID, AskedInAccess: asked.AskedInAccess,
		Continuous: asked.Continuous, Expires: t.now().Add(deviceLife),
	}
	t.saveGrants()
	page := t.url + devicePath
	return &deviceResponse{
		UserCode: user, DeviceCode: code, VerificationURI: page, ExpiresIn: int(deviceLife.Seconds()), Interval: deviceInterval,
		Message: "To sign in, use a web browser to open the page " + page + " and enter the code " + user + " to authenticate.",
	}, nil
}

// newUserCode is nine letters and digits that are not taken for one another.
func newUserCode() string {
	const of = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // 32 of them: every byte chooses evenly
	code := make([]byte, 9)
	_, _ = rand.Read(code) // never fails
	for i := range code {
		code[i] = of[int(code[i])%len(of)]
	}
	return string(code)
}

// redeemDevice answers a client that asks whether the person has answered. What was approved is given once.
func (t *Tenant) redeemDevice(r *http.Request, client App, acr string) (*tokenResponse, *stsError) {
	value := r.PostForm.Get("device_code")
	if value == "" {
		value = r.PostForm.Get("code") // as before RFC 8628
	}
	if value == "" {
		return nil, missing("device_code")
	}
	t.mu.Lock()
	asked := t.grants.Devices[hashed(value)]
	out, refused := t.deviceIssue(asked, client)
	if refused == nil {
		delete(t.grants.Devices, hashed(value))
		t.saveGrants()
	}
	t.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	out.acr = acr
	return t.issue(r, out)
}

// deviceIssue is what an approved request gets, or why nothing. t.mu is held.
func (t *Tenant) deviceIssue(asked *deviceRequest, client App) (issue, *stsError) {
	switch {
	case asked == nil || asked.ClientID != client.ClientID:
		return issue{}, &stsError{OAuth: "bad_verification_code", Code: 70018, Message: "The provided value for the input parameter 'device_code' is not valid."}
	case !t.now().Before(asked.Expires):
		return issue{}, &stsError{OAuth: "expired_token", Code: 70020, Message: "The provided value for the input parameter 'device_code' is not valid. This device code has expired."}
	case asked.Answer == deviceDeclined:
		return issue{}, &stsError{OAuth: "authorization_declined", Code: 65004, Message: "User declined to consent to access the app."}
	case asked.Answer == deviceOpen:
		return issue{}, &stsError{OAuth: "authorization_pending", Code: 70016, Message: "OAuth 2.0 device flow error. Authorization is pending. Continue polling."}
	}
	user, refused := t.standing(asked.By)
	if refused != nil {
		return issue{}, refused
	}
	scopes, refused := t.parseScopes(asked.Scope, client, asked.By.UserID)
	if refused != nil {
		return issue{}, refused
	}
	if refused := t.allowed(asked.By, client, scopes, append(asked.AskedInID, asked.AskedInAccess...)); refused != nil {
		return issue{}, refused
	}
	return issue{signIn: asked.By, client: client, scopes: scopes, user: user.User, refresh: scopes.Offline,
		inID: asked.AskedInID, inAccess: asked.AskedInAccess, continuous: asked.Continuous}, nil
}
