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
	if !t.giveSecondFactor(r, r.PostForm.Get("code"), s) {
		t.secondFactorPage(w, req, r, s, "AADSTS50074: The code is not right.")
		return
	}
	t.mu.Lock()
	made := s
	if session := t.session(r); session != nil {
		made = session.signIn
	}
	t.mu.Unlock()
	t.goOn(w, r, req, made)
}

// giveSecondFactor notes in the browser's session that the second factor was given, if the code is that of s.
func (t *Tenant) giveSecondFactor(r *http.Request, code string, s signIn) bool {
	if subtle.ConstantTimeCompare([]byte(code), []byte(t.secondFactor(s))) != 1 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	session := t.session(r)
	if session == nil || session.SID != s.SID {
		return false
	}
	session.MFAAt = t.now()
	t.saveGrants()
	return true
}
