package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// site is a server that is reached under names below localhost.
func site(t *testing.T, serve http.HandlerFunc) (at func(name string) string) {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) string { return "http://" + name + ".localhost:" + u.Port() }
}

func TestCookiesAreOfOneHost(t *testing.T) {
	at := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			http.SetCookie(w, &http.Cookie{Name: "__Host-x", Value: r.Host, Path: "/", Secure: true, HttpOnly: true})
		case "/unset":
			http.SetCookie(w, &http.Cookie{Name: "__Host-x", Path: "/", Secure: true, MaxAge: -1})
		}
		fmt.Fprint(w, len(r.Cookies()))
	})
	b := New()
	defer b.Close()
	for _, step := range []struct {
		address string
		cookies string
	}{
		{at("one") + "/set", "0"}, {at("one") + "/", "1"}, {at("two") + "/", "0"}, {at("two.one") + "/", "0"},
		{at("one") + "/unset", "1"}, {at("one") + "/", "0"},
	} {
		resp, err := b.Visit(t.Context(), step.address)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1)
		if _, err := resp.Body.Read(got); got[0] != step.cookies[0] {
			t.Errorf("%s was sent %s cookies, not %s (%v)", step.address, got, step.cookies, err)
		}
		resp.Body.Close()
	}
}

// The sample users' passwords go to this machine and to no other.
func TestOnlyThisMachine(t *testing.T) {
	b := New()
	defer b.Close()
	for _, address := range []string{"http://lanyard.example.test/", "http://192.0.2.1/", "http://localhost.example.test/"} {
		if resp, err := b.Visit(t.Context(), address); err == nil || !strings.Contains(err.Error(), "not on this machine") {
			t.Errorf("%s: %v", address, err)
			if resp != nil {
				resp.Body.Close()
			}
		}
	}
}

// tenantPage is a sign-in page as entrasim's, with a form that is not the one wanted before it.
const tenantPage = `<!doctype html><html><body><h1>Sign in</h1>%s
<form method="post" action="/other"><input type="hidden" name="action" value="continue"></form>
<form method="post" action="%s"><input type="hidden" name="action" value="signin"><input name="username"><input type="password" name="password"></form></body></html>`

func TestSignIn(t *testing.T) {
	var at func(string) string
	at = site(t, func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ".")
		switch {
		case name == "lanyard" && r.URL.Path == "/login":
			http.SetCookie(w, &http.Cookie{Name: "__Host-begun", Value: "1", Secure: true})
			http.Redirect(w, r, at("tenant")+"/authorize?state=a%26b", http.StatusSeeOther)
		case name == "tenant" && r.Method == http.MethodGet:
			fmt.Fprintf(w, tenantPage, "", "/authorize?state=a%26b&amp;x=1")
		case name == "tenant" && r.URL.Path == "/authorize":
			if r.Header.Get("Origin") != at("tenant") || r.FormValue("action") != "signin" || r.FormValue("x") != "1" {
				t.Errorf("the form came with origin %q and fields %v", r.Header.Get("Origin"), r.Form)
			}
			if r.FormValue("username") != "ada" || r.FormValue("password") != "right" {
				fmt.Fprintf(w, tenantPage, `<p role="alert">Wrong <b>password</b>.</p>`, "/authorize")
				return
			}
			http.Redirect(w, r, at("lanyard")+"/callback?code=c&"+url.Values{"state": {r.FormValue("state")}}.Encode(), http.StatusFound)
		case name == "lanyard" && r.URL.Path == "/callback":
			if _, err := r.Cookie("__Host-begun"); err != nil || r.FormValue("state") != "a&b" || r.Header.Get("Origin") != "" {
				t.Errorf("the callback came with %v, origin %q", r.Form, r.Header.Get("Origin"))
			}
			http.SetCookie(w, &http.Cookie{Name: "__Host-session", Value: "1", Secure: true})
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	b := New()
	defer b.Close()
	if err := b.SignIn(t.Context(), at("lanyard"), "ada", "right"); err != nil {
		t.Fatal(err)
	}
	if home, _ := url.Parse(at("lanyard")); len(b.http.Jar.Cookies(home)) != 2 {
		t.Error("there is no session after signing in")
	}
	wrong := New()
	defer wrong.Close()
	err := wrong.SignIn(t.Context(), at("lanyard"), "ada", "wrong")
	if problem.KindOf(err) != problem.SignInNeeded || !strings.Contains(err.Error(), "Wrong password .") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestSignInWithoutAPage(t *testing.T) {
	at := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<html><body><h1>The tenant cannot be reached</h1></body></html>")
	})
	b := New()
	defer b.Close()
	err := b.SignIn(t.Context(), at("lanyard"), "ada", "right")
	if err == nil || !strings.Contains(err.Error(), "The tenant cannot be reached") {
		t.Errorf("got %v", err)
	}
}

// What a page of Lanyard's says of a refusal is told with who can mend it.
func TestRefusalIsToldWithItsHelp(t *testing.T) {
	at := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<html><body><h1>Not allowed</h1><p role="alert">You are not assigned.</p><p data-testid="help"><strong>This can be mended by them.</strong> They assign you.</p>
			<dl><dt>Code</dt><dd><code data-testid="help-code">AADSTS50105</code></dd></dl></body></html>`)
	})
	b := New()
	defer b.Close()
	err := b.SignIn(t.Context(), at("lanyard"), "ada", "right")
	if err == nil || !strings.Contains(err.Error(), "You are not assigned. This can be mended by them. They assign you. AADSTS50105") {
		t.Errorf("got %v", err)
	}
}
