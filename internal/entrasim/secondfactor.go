package entrasim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"net/http"
)

// deviceOf is the device that the sign-in form says the browser runs on; a real tenant knows it by the device's own key.
func deviceOf(r *http.Request) string {
	switch device := r.PostForm.Get("device"); device {
	case DeviceCompliant, DeviceJoined:
		return device
	}
	return ""
}

// secondFactor is the code of a session. It stands on the page that asks for it, since nobody here has a telephone.
func (t *Tenant) secondFactor(s signIn) string {
	mac := hmac.New(sha256.New, t.keys.Portal)
	mac.Write([]byte("second factor " + s.SID))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(mac.Sum(nil))%1_000_000)
}

func (t *Tenant) secondFactorPage(w http.ResponseWriter, req authRequest, r *http.Request, s signIn, wrong string) {
	query := authParams(r)
	t.render(w, http.StatusOK, "mfa.html", "", map[string]any{"App": req.Client.Name, "Action": r.URL.Path + "?" + query.Encode(), "Shown": t.secondFactor(s), "Error": wrong})
}

// serveSecondFactor takes the code, or that the person denied it.
func (t *Tenant) serveSecondFactor(w http.ResponseWriter, r *http.Request, req authRequest, s signIn) {
	if r.PostForm.Get("deny") != "" {
		t.turnAway(w, r, req, s, &stsError{OAuth: "access_denied", Code: 500121, Message: "Authentication failed during strong authentication request."})
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("code")), []byte(t.secondFactor(s))) != 1 {
		t.secondFactorPage(w, req, r, s, "AADSTS50074: The code is not right.")
		return
	}
	t.mu.Lock()
	session := t.session(r)
	if session == nil || session.SID != s.SID {
		t.mu.Unlock()
		t.signInPage(w, r, req, nil)
		return
	}
	session.MFAAt = t.now()
	made := session.signIn
	t.saveGrants()
	t.mu.Unlock()
	t.goOn(w, r, req, made)
}
