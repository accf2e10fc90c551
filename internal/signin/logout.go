package signin

import (
	"net/http"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// signOut ends the sign-in here, with all that hangs below, and then leads to the tenant to end it there.
func (s *Service) signOut(w http.ResponseWriter, r *http.Request) error {
	who := web.PrincipalFrom(r.Context())
	lease := web.LeaseFrom(r.Context())
	_, signIn, ok := s.c.Sessions.Set().Session(who.Session)
	if ok {
		lease.End() // this answer does not rest on the sign-in that it ends
		s.c.Sessions.EndSignIn(r.Context(), signIn.ID, "you signed out", audit.Event{
			Time: s.c.Now(), Action: "signout", Outcome: audit.Done, User: audit.PersonOf(who.User, signIn.Name),
			Session: who.Session, IP: web.ClientIP(r),
		})
	}
	web.SetCookie(w, session.CookieName, "", -1)
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	there := LogoutPath
	if tenant, err := s.tenant(r.Context()); err == nil && tenant.logout != "" {
		q := url.Values{"post_logout_redirect_uri": {s.c.URL + LogoutPath}, "client_id": {s.c.Tenant.ClientID}}
		if ok && signIn.Hint != "" { // else Entra asks which account to sign out
			q.Set("logout_hint", signIn.Hint)
		}
		there = tenant.logout + "?" + q.Encode()
	}
	http.Redirect(w, r, there, http.StatusSeeOther)
	return nil
}

func (s *Service) signedOut(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// frontChannel is OpenID Connect Front-Channel Logout 1.0: the tenant says which of its sessions ended.
func (s *Service) frontChannel(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if iss := q.Get("iss"); iss == "" || iss == s.c.Tenant.Issuer {
		s.c.Sessions.EndTenantSession(r.Context(), q.Get("sid"), "you signed out at the tenant", audit.Event{
			Time: s.c.Now(), Action: "signout", Outcome: audit.Done, Actor: "tenant", IP: web.ClientIP(r),
		})
	}
	// The tenant's sign-out page frames this answer, which is empty; nothing else of the site may be framed.
	w.Header().Del("X-Frame-Options")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+web.Origin(s.c.Tenant.Issuer))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}
