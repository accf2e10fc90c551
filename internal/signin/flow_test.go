package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
)

const stateCookie = "__Host-lanyard-signin"

func (w *world) host() string { return strings.TrimPrefix(w.url, "http://") }

// signIns are how many have begun and not ended.
func (w *world) signIns() (n int) {
	for row := range w.sessions.Set().All {
		if row.Ended.IsZero() {
			n++
		}
	}
	return n
}

// liveSessions are how many browsers' sessions live.
func (w *world) liveSessions() (n int) {
	for row := range w.sessions.Set().All {
		for _, s := range w.sessions.Set().Below(row.ID) {
			if _, _, dead := w.sessions.Set().Live(s.ID, time.Now()); dead == "" && s.Kind == session.Browser {
				n++
			}
		}
	}
	return n
}

// Two tabs begin, and the person signs in in both: both lead where they were to lead, and the browser has one session.
func TestSeveralTabs(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	_, _, first := b.send(http.MethodGet, w.url+"/login?return=/first", nil)
	_, _, second := b.send(http.MethodGet, w.url+"/login?return=/second", nil)
	for i, tab := range []*url.URL{first, second} {
		back, err := entrasim.SignIn(t.Context(), b.client, tab.String(), "ada@contoso.example", "lanyard-ada")
		if err != nil {
			t.Fatal(err)
		}
		status, body, next := b.send(http.MethodGet, back.String(), nil)
		if want := []string{"/first", "/second"}[i]; status != http.StatusSeeOther || next.Path != want {
			t.Errorf("%s: %d %v %s", want, status, next, body)
		}
	}
	if w.signIns() != 1 || b.whoami(w) != entrasim.AdaID {
		t.Errorf("%d sign-ins of one browser, as %q", w.signIns(), b.whoami(w))
	}
}

// Whoever goes back in their browser comes to an answer that was used. Nothing is done with it: who is signed in is led to
// where they wanted to go, who is not is told, and does not lose it.
func TestBackButton(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	_, _, back := b.signInAt(w, "/login?return=/somewhere", "ada", "lanyard-ada")
	b.send(http.MethodGet, back.String(), nil)
	for range 3 {
		if status, body, next := b.send(http.MethodGet, back.String(), nil); status != http.StatusSeeOther || next.Path != "/somewhere" {
			t.Fatalf("%d %v %s", status, next, body)
		}
	}
	if w.signIns() != 1 {
		t.Errorf("%d sign-ins", w.signIns())
	}
	b.send(http.MethodPost, w.url+"/logout", url.Values{})
	status, page, next := b.send(http.MethodGet, back.String(), nil, "Accept", "text/html")
	if status != http.StatusBadRequest || next != nil || !strings.Contains(page, "used already") || !strings.Contains(page, "where you wanted to go") {
		t.Errorf("after signing out: %d %v %s", status, next, page)
	}
	if b.whoami(w) != "" {
		t.Error("an answer that was used signs in")
	}
}

// A sign-in that took too long is not completed, and says so.
func TestExpiredSignIn(t *testing.T) {
	later := time.Duration(0)
	w := newWorldOf(t, func(c *signin.Config) { c.Now = func() time.Time { return time.Now().Add(later) } })
	b := newBrowser(t)
	_, _, back := b.signInAt(w, "/login?return=/somewhere", "ada", "lanyard-ada")
	later = 16 * time.Minute
	status, page, _ := b.send(http.MethodGet, back.String(), nil)
	if status != http.StatusBadRequest || !strings.Contains(page, "took longer than 15 minutes") || w.signIns() != 0 {
		t.Errorf("%d %s", status, page)
	}
	if status, page, _ := b.send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest || !strings.Contains(page, "used already") {
		t.Errorf("again: %d %s", status, page)
	}
	// A browser that keeps no cookies is told of that, since trying again would not help.
	status, page, _ = newBrowser(t).send(http.MethodGet, w.url+signin.RedirectPath+"?code=x&state=y", nil)
	if status != http.StatusBadRequest || !strings.Contains(page, "cookies") {
		t.Errorf("without cookies: %d %s", status, page)
	}
}

func TestWhatASignInAsksFor(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]url.Values{
		"":                           {},
		"hint=ada@contoso.example":   {"login_hint": {"ada@contoso.example"}},
		"prompt=select_account":      {"prompt": {"select_account"}},
		"prompt=select_account&hint": {"prompt": {"select_account"}},
		"prompt=select_account&hint=ada@contoso.example": {"prompt": {"select_account"}}, // Entra takes one of the two
	} {
		_, _, next := newBrowser(t).send(http.MethodGet, w.url+"/login?"+query, nil)
		for _, name := range []string{"login_hint", "prompt", "claims", "response_mode"} {
			if got := next.Query().Get(name); got != want.Get(name) {
				t.Errorf("%q: %s=%q", query, name, got)
			}
		}
	}
	for _, query := range []string{"hint=a%0d%0ab", "hint=" + strings.Repeat("x", 400), "prompt=none", "prompt=consent", "challenge=x", "challenge=" + strings.Repeat("A", 500)} {
		if status, _, next := newBrowser(t).send(http.MethodGet, w.url+"/login?"+query, nil); status != http.StatusBadRequest || next != nil {
			t.Errorf("%.40q: %d %v", query, status, next)
		}
	}
}

// post posts an answer as the tenant's page does from another site: the browser sends cookies that are for that alone.
func (b *browser) post(w *world, answer url.Values, origin string) (int, string, *url.URL) {
	b.t.Helper()
	mine := b.cookies[w.host()]
	crossSite := map[string]string{}
	if v, ok := mine[stateCookie]; ok && b.crossSite[stateCookie] {
		crossSite[stateCookie] = v
	}
	b.cookies[w.host()] = crossSite
	status, body, next := b.send(http.MethodPost, w.url+signin.RedirectPath, answer, "Origin", origin)
	for name, value := range b.cookies[w.host()] {
		mine[name] = value
	}
	b.cookies[w.host()] = mine
	return status, body, next
}

// TestFormPost signs in with the answer posted: no code is in any URL that Lanyard is asked, and what a browser keeps back
// when another site posts is not missed.
func TestFormPost(t *testing.T) {
	w := newWorldOf(t, func(c *signin.Config) { c.FormPost = true })
	b := newBrowser(t)
	answer := func(b *browser, address string) url.Values {
		t.Helper()
		status, page, next := b.signInAt(w, address, "ada", "lanyard-ada")
		if next != nil || status != http.StatusOK {
			t.Fatalf("%d, the tenant does not post but leads to %v", status, next)
		}
		return hidden(page)
	}
	form := answer(b, "/login?return=/first")
	if !b.crossSite[stateCookie] {
		t.Fatal("the state's cookie is not sent with what another site posts")
	}
	for name, foreign := range map[string]*browser{"another browser": newBrowser(t), "one that has begun, too": func() *browser {
		c := newBrowser(t)
		c.send(http.MethodGet, w.url+"/login", nil)
		return c
	}()} {
		if foreign.cookies[w.host()] == nil {
			foreign.cookies[w.host()] = map[string]string{}
		}
		if status, body, _ := foreign.post(w, form, "https://login.example.test"); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	in := func(form url.Values, to string) {
		t.Helper()
		status, body, next := b.post(w, form, "null")
		if status != http.StatusSeeOther || strings.Contains(next.String(), form.Get("code")) {
			t.Fatalf("%d %v %s", status, next, body)
		}
		handle := next.String()
		if status, body, _ := newBrowser(t).send(http.MethodGet, handle, nil); status != http.StatusBadRequest {
			t.Errorf("in another browser: %d %s", status, body)
		}
		status, body, next = b.post(w, form, "null") // as when the page is sent twice
		if status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, body)
		}
		if status, body, next := b.send(http.MethodGet, next.String(), nil); status != http.StatusSeeOther || next.Path != to {
			t.Fatalf("%d %v %s", status, next, body)
		}
		if status, body, next := b.send(http.MethodGet, handle, nil); status != http.StatusSeeOther || next.Path != to {
			t.Errorf("again: %d %s", status, body)
		}
	}
	in(form, "/first")
	old := b.cookies[w.host()][session.CookieName]
	if b.whoami(w) != entrasim.AdaID {
		t.Fatal("not signed in")
	}

	// The page of the tenant posts once more when somebody goes back to it.
	status, _, next := b.post(w, form, "null")
	if status != http.StatusSeeOther {
		t.Fatal(status)
	}
	if status, body, next := b.send(http.MethodGet, next.String(), nil); status != http.StatusSeeOther || next.Path != "/first" || w.signIns() != 1 {
		t.Errorf("back: %d %v %s", status, next, body)
	}

	// A second sign-in ends the session that it replaces, though the posted form came without its cookie.
	_, page, _ := b.get(w.url+"/login?return=/second", all)
	in(hidden(page), "/second")
	thief := newBrowser(t)
	thief.cookies[w.host()] = map[string]string{session.CookieName: old}
	if thief.whoami(w) != "" || b.whoami(w) != entrasim.AdaID {
		t.Error("the replaced session lives on")
	}

	// So is an error.
	c := newBrowser(t)
	_, _, begun := c.send(http.MethodGet, w.url+"/login", nil)
	_, _, next = c.post(w, url.Values{"state": begun.Query()["state"], "error": {"access_denied"}, "error_description": {"AADSTS65004: User declined."}}, "null")
	if status, body, _ := c.send(http.MethodGet, next.String(), nil); status != http.StatusForbidden || !strings.Contains(body, "you did not consent") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := newBrowser(t).send(http.MethodPost, w.url+"/logout", url.Values{}, "Origin", "null"); status != http.StatusForbidden {
		t.Errorf("another address takes posts of other sites: %d", status)
	}
	plain := newWorld(t)
	if status, _, _ := newBrowser(t).send(http.MethodPost, plain.url+signin.RedirectPath, form, "Origin", "null"); status != http.StatusForbidden {
		t.Errorf("without form_post: %d", status)
	}
}

// hidden are the hidden fields of a page's form.
func hidden(page string) url.Values {
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Set(m[1], m[2])
	}
	return fields
}

// Signing out here names the person to the tenant, who is not asked again who they are.
func TestSignOutNamesThePerson(t *testing.T) {
	r := newRogue(t)
	b := newBrowser(t)
	claims := r.claims("")
	claims["login_hint"] = "O.CiQ-opaque"
	r.enter(t, b, claims)
	_, _, next := b.send(http.MethodPost, r.url+"/logout", url.Values{})
	q := next.Query()
	if next.Path != "/logged-out" || q.Get("logout_hint") != "O.CiQ-opaque" || q.Get("post_logout_redirect_uri") != r.url+signin.LogoutPath {
		t.Errorf("led to %v", next)
	}
}

// signInOf is the sign-in of a browser's session.
func (w *world) signInOf(b *browser) identity.SignInID {
	row, _, _ := w.sessions.Set().Session(b.session(w))
	return row.SignIn
}

// Whose session ended is named to the tenant when they come back, unless they signed out; and a sign-in may lead to another
// of Lanyard's sites.
func TestComingBack(t *testing.T) {
	r := newRogue(t)
	b := newBrowser(t)
	claims := r.claims("")
	claims["login_hint"] = "O.CiQ-opaque"
	r.enter(t, b, claims)
	r.sessions.EndUser(t.Context(), user(entrasim.AdaID), "test")
	hint := func(query string) string {
		_, _, next := b.send(http.MethodGet, r.url+"/login"+query, nil)
		return next.Query().Get("login_hint")
	}
	if hint("") != "O.CiQ-opaque" || hint("?hint=grace") != "grace" || hint("?prompt=select_account") != "" {
		t.Errorf("hints: %q %q %q", hint(""), hint("?hint=grace"), hint("?prompt=select_account"))
	}
	r.enter(t, b, claims)
	b.send(http.MethodPost, r.url+"/logout", url.Values{})
	if got := hint(""); got != "" {
		t.Errorf("after signing out: %q", got)
	}

	w := newWorld(t)
	site := "http://t-aaaaaaaaaaaaaaaa.localhost" + w.url[strings.LastIndexByte(w.url, ':'):] + "/files?x=1"
	c := newBrowser(t)
	_, _, back := c.signInAt(w, "/login?return="+url.QueryEscape(site), "ada", "lanyard-ada")
	if status, body, next := c.send(http.MethodGet, back.String(), nil); status != http.StatusSeeOther || next.String() != site {
		t.Errorf("%d %v %s", status, next, body)
	}
}

// Who signs in afresh, because a project wants it, goes on with that in the workspaces that are open; who signs in elsewhere
// meanwhile does not.
func TestFreshSignInGoesOnInWorkspaces(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	first := w.signInOf(b)
	ws, err := w.sessions.ForWorkspace(t.Context(), b.session(w), identity.NewWorkspaceID(), identity.NewProjectID())
	if err != nil {
		t.Fatal(err)
	}
	newBrowser(t).enter(w, "ada")
	if row := w.sessions.Set().Row(ws); row.SignIn != first {
		t.Error("a sign-in in another browser took the workspace over")
	}
	_, _, back := b.signInAt(w, "/login?prompt=login", "ada", "lanyard-ada")
	if status, body, _ := b.send(http.MethodGet, back.String(), nil); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	if row := w.sessions.Set().Row(ws); row.SignIn == first || row.SignIn != w.signInOf(b) {
		t.Errorf("the workspace hangs below %s, the fresh sign-in is %s", row.SignIn, w.signInOf(b))
	}
}
