package entrasim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveLogout ends the browser's session. Every app that used it is told by a frame on its logout
// URL, with iss and sid; then the browser goes to post_logout_redirect_uri if an app registered it.
// Refresh tokens stay: at Entra a single sign-out does not revoke them.
func (t *Tenant) serveLogout(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if !t.isTenant(r.PathValue("tenant")) {
		_, unknown := t.issuerFor(r.PathValue("tenant"))
		if unknown != nil {
			t.errorPage(w, r, unknown)
			return
		}
	}
	next := r.FormValue("post_logout_redirect_uri")
	t.mu.Lock()
	var frames []string
	if session := t.session(r); session != nil {
		for clientID := range session.Apps {
			if app, known := t.app(clientID); known && app.LogoutURL != "" {
				frames = append(frames, redirectTo(app.LogoutURL, url.Values{"iss": {t.Issuer()}, "sid": {session.SID}}, false))
			}
		}
		t.forgetSession(r)
		t.saveGrants()
	}
	registered := false
	for _, app := range t.apps {
		registered = registered || slices.Contains(app.RedirectURIs, next)
	}
	t.mu.Unlock()
	t.setCookie(w, "", -1)
	switch {
	case next == "" || !registered:
		next = ""
	case r.FormValue("state") != "":
		next = redirectTo(next, url.Values{"state": {r.FormValue("state")}}, false)
	}
	if next != "" && len(frames) == 0 {
		http.Redirect(w, r, next, http.StatusFound)
		return
	}
	slices.Sort(frames)
	t.render(w, http.StatusOK, "signedout.html", "frame-src "+frameOrigins(frames), map[string]any{"Next": next, "Frames": frames})
}

// frameOrigins is the policy's list of sites that the sign-out page may frame.
func frameOrigins(frames []string) string {
	origins := []string{}
	for _, f := range frames {
		if u, err := url.Parse(f); err == nil {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	if len(origins) == 0 {
		return "'none'"
	}
	return strings.Join(origins, " ")
}
