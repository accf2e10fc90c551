package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSignInAndOut(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	if got := b.whoami(w); got != entrasim.AdaID {
		t.Fatalf("signed in as %q", got)
	}
	host := strings.TrimPrefix(w.url, "http://")
	if b.cookies[host][session.CookieName] == "" || len(b.cookies[host]) != 2 { // the other binds sign-ins under way
		t.Errorf("cookies: %v", b.cookies[host])
	}
	status, _, next := b.send(http.MethodPost, w.url+"/logout", url.Values{})
	if status != http.StatusSeeOther || !strings.Contains(next.Path, "/oauth2/v2.0/logout") {
		t.Fatalf("signing out leads to %d %v, not to the tenant", status, next)
	}
	if got := b.whoami(w); got != "" {
		t.Errorf("still signed in as %q", got)
	}
	for row := range w.sessions.Set().All {
		if row.Ended.IsZero() || len(row.Refresh) > 0 {
			t.Errorf("a sign-in goes on: ended %v, refresh token kept: %t", row.Ended, len(row.Refresh) > 0)
		}
	}
}

// Signing out at the tenant ends the sign-in here: the tenant calls the front-channel address with its session.
func TestSignOutAtTheTenant(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	_, page, _ := b.get(strings.TrimSuffix(w.tenant.Issuer(), "/v2.0")+"/oauth2/v2.0/logout", all)
	frame := page[strings.Index(page, `<iframe hidden title="sign-out" src="`)+len(`<iframe hidden title="sign-out" src="`):]
	address := strings.ReplaceAll(frame[:strings.IndexByte(frame, '"')], "&amp;", "&")
	newBrowser(t).send(http.MethodGet, address, nil) // a frame of another site carries no cookie of ours
	if got := b.whoami(w); got != "" {
		t.Errorf("still signed in as %q", got)
	}
}

func TestBadSignIns(t *testing.T) {
	w := newWorld(t)
	t.Run("wrong password", func(t *testing.T) {
		b := newBrowser(t)
		_, page, back := b.signIn(w, "ada", "lanyard-grace")
		if back != nil || !strings.Contains(page, "AADSTS50126") && !strings.Contains(page, "50126") {
			t.Errorf("the tenant answered %v\n%s", back, page)
		}
		if b.whoami(w) != "" {
			t.Error("signed in all the same")
		}
	})
	t.Run("forged state", func(t *testing.T) {
		b := newBrowser(t)
		_, _, back := b.signIn(w, "ada", "lanyard-ada")
		q := back.Query()
		q.Set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		back.RawQuery = q.Encode()
		if status, body, _ := b.send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("another browser's answer", func(t *testing.T) {
		_, _, back := newBrowser(t).signIn(w, "ada", "lanyard-ada")
		victim := newBrowser(t)
		victim.send(http.MethodGet, w.url+"/login", nil) // has begun a sign-in of its own
		if status, body, _ := victim.send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest {
			t.Errorf("%d %s", status, body)
		}
		if victim.whoami(w) != "" {
			t.Error("signed in as somebody else")
		}
	})
	t.Run("disabled account", func(t *testing.T) {
		b := newBrowser(t)
		_, page, back := b.signIn(w, "leo", "lanyard-leo")
		if back != nil || !strings.Contains(page, "50057") {
			t.Errorf("the tenant answered %v\n%s", back, page)
		}
	})
	t.Run("error of the tenant", func(t *testing.T) {
		b := newBrowser(t)
		_, _, next := b.send(http.MethodGet, w.url+"/login", nil)
		back := w.url + signin.RedirectPath + "?error=access_denied%0d%0a%3Cscript%3E&state=" + next.Query().Get("state")
		status, body, _ := b.send(http.MethodGet, back, nil)
		if status != http.StatusForbidden || strings.Contains(body, "<script>") || !strings.Contains(body, "access_denied") {
			t.Errorf("%d %s", status, body)
		}
	})
}

// SECURITY row 6: session fixation. A sign-in always makes a new session, and ends the one it replaces.
func TestAttack06SessionFixation(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	host := strings.TrimPrefix(w.url, "http://")
	b.cookies[host] = map[string]string{session.CookieName: "planted-by-an-attacker"}
	b.enter(w, "ada")
	first := b.cookies[host][session.CookieName]
	if first == "planted-by-an-attacker" {
		t.Fatal("the planted session was taken over")
	}
	b.enter2(w)
	if b.cookies[host][session.CookieName] == first {
		t.Error("the same session after a second sign-in")
	}
	old := newBrowser(t)
	old.cookies[host] = map[string]string{session.CookieName: first}
	if old.whoami(w) != "" {
		t.Error("the replaced session lives on")
	}
}

// enter2 signs in again where the tenant knows the person already.
func (b *browser) enter2(w *world) {
	b.t.Helper()
	if status, body, _ := b.get(w.url+"/login", all); status != http.StatusOK || body != entrasim.AdaID {
		b.t.Fatalf("%d %s", status, body)
	}
}

// SECURITY row 7: open redirects.
func TestAttack07OpenRedirect(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, "/\t/evil.example", "/%0d%0aLocation:x\r\n", "javascript:alert(1)", "/#https://x",
	} {
		b := newBrowser(t)
		status, _, next := b.send(http.MethodGet, w.url+"/login?return="+url.QueryEscape(target), nil)
		if status != http.StatusBadRequest || next != nil {
			t.Errorf("return=%q: %d, leads to %v", target, status, next)
		}
	}
}

// SECURITY row 15: a cookie tossed by another host makes two of the name, which is refused.
func TestAttack15CookieTossing(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	host := strings.TrimPrefix(w.url, "http://")
	mine := b.cookies[host][session.CookieName]
	b.cookies[host] = nil
	status, _, _ := b.send(http.MethodGet, w.url+"/", nil, "Cookie", session.CookieName+"=tossed; "+session.CookieName+"="+mine)
	if status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
}

// SECURITY row 17: an answer that names another issuer is refused.
func TestAttack17MixUp(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	_, _, back := b.signIn(w, "ada", "lanyard-ada")
	q := back.Query()
	q.Set("iss", "https://evil.example/v2.0")
	back.RawQuery = q.Encode()
	if status, body, _ := b.send(http.MethodGet, back.String(), nil); status != http.StatusForbidden || !strings.Contains(body, "another issuer") {
		t.Errorf("%d %s", status, body)
	}
}

// SECURITY row 14, for forms: a page on another site cannot make a browser act here.
func TestAttack14CrossOriginPost(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	for _, origin := range []string{"https://evil.example", "null", "", w.url + ".evil.example"} {
		if status, _, _ := b.send(http.MethodPost, w.url+"/logout", url.Values{}, "Origin", origin); status != http.StatusForbidden {
			t.Errorf("origin %q: %d", origin, status)
		}
	}
	if b.whoami(w) != entrasim.AdaID {
		t.Error("signed out by another site")
	}
}

func TestPersonsOwnToken(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	who := w.principal(entrasim.AdaID)
	scope := entrasim.ContosoGitAppID + "/.default"
	first, err := w.signin.AccessToken(t.Context(), who, scope)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.signin.AccessToken(t.Context(), who, scope)
	if err != nil || again != first {
		t.Errorf("not cached: %v", err)
	}
	if err := w.tenant.RevokeSessions(entrasim.AdaID); err != nil {
		t.Fatal(err)
	}
	w.tenant.Offline(true)
	if _, err := w.signin.AccessToken(t.Context(), who, "https://graph.microsoft.com/.default"); err == nil {
		t.Error("a token from a tenant that is off")
	}
	w.tenant.Offline(false)
	if b.whoami(w) != entrasim.AdaID {
		t.Fatal("the tenant was off for a moment, and the sign-in ended")
	}
	if _, err := w.signin.AccessToken(t.Context(), who, "https://graph.microsoft.com/.default"); err == nil {
		t.Error("a token after the tenant revoked the sessions")
	}
	if b.whoami(w) != "" {
		t.Error("the tenant does not honour the sign-in any more, and it goes on here")
	}
}

func (w *world) principal(object string) identity.Principal {
	w.t.Helper()
	for row := range w.sessions.Set().All {
		for _, s := range w.sessions.Set().Below(row.ID) {
			if row.User.Object == object && row.Ended.IsZero() {
				return identity.Principal{Kind: identity.Person, User: row.User, Session: s.ID}
			}
		}
	}
	w.t.Fatalf("%s is not signed in", object)
	return identity.Principal{}
}

// A session is handed over to another site once, to the browser that asked, and ends with the one it came from.
func TestHandOff(t *testing.T) {
	w := newWorld(t)
	site := "http://t-aaaaaaaaaaaaaaaa.localhost:" + w.url[strings.LastIndexByte(w.url, ':')+1:]
	b := newBrowser(t)
	b.enter(w, "ada")
	_, _, enter := b.get(site+"/lead", until("/_lanyard/enter"))
	if enter == nil {
		t.Fatal("was not led back")
	}
	thief := newBrowser(t)
	if status, _, _ := thief.send(http.MethodGet, enter.String(), nil); status != http.StatusBadRequest {
		t.Errorf("a code without the browser's cookie: %d", status)
	}
	if status, _, _ := b.send(http.MethodGet, enter.String(), nil); status != http.StatusBadRequest {
		t.Errorf("a code that was tried before: %d", status)
	}
	if status, body, _ := b.get(site+"/lead", all); status != http.StatusOK || body != entrasim.AdaID {
		t.Fatalf("%d %s", status, body)
	}
	host := strings.TrimPrefix(site, "http://")
	delete(b.cookies, host)
	_, _, enter = b.get(site+"/lead?of=books&to=//evil.example", until("/_lanyard/enter"))
	if _, _, last := b.send(http.MethodGet, enter.String(), nil); last.String() != site+"/lead?of=books&to=//evil.example" {
		t.Errorf("led to %v, not to where it began", last)
	}
	elsewhere := newBrowser(t)
	elsewhere.cookies[strings.TrimPrefix(w.url, "http://")] = b.cookies[host]
	if elsewhere.whoami(w) != "" {
		t.Error("the site's cookie opens the pages")
	}
	b.send(http.MethodPost, w.url+"/logout", url.Values{})
	if _, body, _ := b.send(http.MethodGet, site+"/", nil); body != "" {
		t.Errorf("after signing out the other site still knows %q", body)
	}
}

func TestIdleAndAbsoluteEnds(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	who := w.principal(entrasim.AdaID)
	row, signIn, dead := w.sessions.Set().Live(who.Session, time.Now())
	if dead != "" {
		t.Fatal(dead)
	}
	if _, _, dead := w.sessions.Set().Live(row.ID, signIn.Expires); dead == "" {
		t.Error("a sign-in outlives its lifetime")
	}
	if got := signIn.Expires.Sub(signIn.At); got != 12*time.Hour {
		t.Errorf("lifetime %s", got)
	}
}
