package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

const sessionCookie = "ESTSAUTH"

// session is the browser's SSO session, or nil. t.mu is held.
func (t *Tenant) session(r *http.Request) *ssoSession {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	session := t.grants.Sessions[hashed(cookie.Value)]
	if session == nil || !t.now().Before(session.Expires) {
		return nil
	}
	return session
}

// startSession makes a session for someone who just gave the password. A new cookie value is used
// even when the browser had one; the same person keeps the sid, so that apps of the earlier session
// end with it. t.mu is held.
func (t *Tenant) startSession(w http.ResponseWriter, r *http.Request, user *userRow, contexts []string) signIn {
	now := t.now()
	made := &ssoSession{
		signIn:  signIn{SID: newGUID(), UserID: user.ID, AuthTime: now, Epoch: user.Epoch, Contexts: contexts, Device: deviceOf(r)},
		Expires: now.Add(sessionLife), Apps: map[string]bool{},
	}
	if former := t.session(r); former != nil {
		if former.UserID == user.ID && former.Epoch == user.Epoch {
			made.SID, made.Apps, made.MFAAt = former.SID, former.Apps, former.MFAAt
			made.Contexts = slices.Compact(slices.Sorted(slices.Values(slices.Concat(former.Contexts, contexts))))
		}
		t.forgetSession(r)
	}
	value := randomID(48)
	t.grants.Sessions[hashed(value)] = made
	t.saveGrants()
	t.setCookie(w, value, 0)
	return made.signIn
}

// forgetSession removes the browser's session. t.mu is held.
func (t *Tenant) forgetSession(r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		delete(t.grants.Sessions, hashed(cookie.Value))
	}
}

// setCookie sets the session cookie, or removes it with a negative age.
func (t *Tenant) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: strings.HasPrefix(t.url, "https:"), SameSite: http.SameSiteLaxMode,
	})
}
