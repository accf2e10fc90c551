package badinput

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/test/harness"
)

// begun is a sign-in under way: the browser, the state it was given, and the answer of the tenant that is not sent yet.
type begun struct {
	*browser.Browser
	answer *url.URL
}

// begin signs a person in at the tenant and stops before Lanyard's callback.
func begin(t *testing.T, w *harness.World, name string) begun {
	t.Helper()
	b := w.Browser()
	u, err := w.Info.User(name)
	if err != nil {
		t.Fatal(err)
	}
	var answer *url.URL
	b.HTTP().CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("Origin")
		if strings.HasPrefix(r.URL.Path, "/login/callback") {
			answer = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	if err := b.SignIn(w.Context(), w.Info.URL, u.Username, u.Password); err == nil {
		t.Fatal("the sign-in went on without Lanyard's callback")
	}
	if answer == nil {
		t.Fatal("the tenant did not answer")
	}
	return begun{b, answer}
}

func (b begun) with(t *testing.T, change func(url.Values)) request {
	t.Helper()
	u := *b.answer
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return request{method: "GET", url: u.String()}
}

func TestSignIn(t *testing.T) {
	w := harness.Start(t)
	nobody := func(t *testing.T, b *browser.Browser) {
		t.Helper()
		request{method: "GET", url: w.Info.URL + "/api/v1/me"}.refused(t, b.HTTP(), 401, "Sign in first")
	}
	t.Run("wrong password", func(t *testing.T) {
		b := w.Browser()
		err := b.SignIn(w.Context(), w.Info.URL, "ada@contoso.example", "lanyard-barbara")
		if err == nil {
			t.Fatal("signed in")
		}
		hasWords(t, "the sign-in", err.Error(), "AADSTS50126")
		nobody(t, b)
	})
	t.Run("a disabled account", func(t *testing.T) {
		b := w.Browser()
		if err := b.SignIn(w.Context(), w.Info.URL, "leo@contoso.example", "lanyard-leo"); err == nil {
			t.Fatal("signed in")
		}
		nobody(t, b)
	})
	t.Run("a replayed code", func(t *testing.T) {
		b := begin(t, w, "ada")
		if status, body := b.with(t, func(url.Values) {}).send(t, b.HTTP()); status != http.StatusSeeOther {
			t.Fatalf("the first use: %d %s", status, body)
		}
		if status, body := b.with(t, func(url.Values) {}).send(t, b.HTTP()); status != http.StatusSeeOther || !strings.Contains(body, `href="/"`) {
			t.Errorf("in the same browser it leads to %d %s", status, body)
		}
		b.with(t, func(url.Values) {}).refused(t, w.Browser().HTTP(), 400, "was used already")
		other := begin(t, w, "barbara")
		other.with(t, func(q url.Values) { q.Set("code", b.answer.Query().Get("code")) }).refused(t, other.HTTP(), 403, "invalid_grant")
		nobody(t, other.Browser)
		if status, body := (request{method: "GET", url: w.Info.URL + "/api/v1/me"}).send(t, b.HTTP()); status != 200 || !strings.Contains(body, "Ada") {
			t.Errorf("the rightful one: %d %s", status, body)
		}
	})
	t.Run("a forged state", func(t *testing.T) {
		b := begin(t, w, "ada")
		b.with(t, func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) }).refused(t, b.HTTP(), 400, "not begun in this browser")
		nobody(t, b.Browser)
		if status, _ := b.with(t, func(url.Values) {}).send(t, b.HTTP()); status != http.StatusSeeOther {
			t.Error("the true state is lost")
		}
	})
	t.Run("an answer in another browser", func(t *testing.T) {
		attacker, victim := begin(t, w, "mallory"), w.Browser()
		attacker.with(t, func(url.Values) {}).refused(t, victim.HTTP(), 400, "not begun in this browser")
		nobody(t, victim)
	})
	t.Run("an answer of another issuer", func(t *testing.T) {
		b := begin(t, w, "ada")
		b.with(t, func(q url.Values) { q.Set("iss", "https://login.microsoftonline.com/"+entrasim.AdaID+"/v2.0") }).refused(t, b.HTTP(), 403, "another issuer")
		nobody(t, b.Browser)
	})
	t.Run("an error for an answer", func(t *testing.T) {
		b := begin(t, w, "ada")
		b.with(t, func(q url.Values) {
			q.Del("code")
			q.Set("error", "<script>alert(1)</script>\x1b[31m")
		}).refused(t, b.HTTP(), 403, "The tenant did not sign you in")
		nobody(t, b.Browser)
	})
	t.Run("a return address elsewhere", func(t *testing.T) {
		for _, back := range []string{"https://evil.example.test/", "//evil.example.test/", `/\evil.example.test`, "/\t/evil.example.test", "javascript:alert(1)"} {
			request{method: "GET", url: w.Info.URL + "/login?return=" + url.QueryEscape(back)}.refused(t, w.Browser().HTTP(), 400, "return")
		}
	})
}

// TestTokensOfOthers presents tokens wherever one could be taken: of another tenant with the same people, and of the
// right tenant for another purpose.
func TestTokensOfOthers(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	foreign := otherTenant(t)
	for name, token := range map[string]string{
		"another tenant's ID token":     foreign.IDToken,
		"another tenant's access token": foreign.AccessToken,
		"the tenant's token for Graph":  w.Tenant().Token(),
		"another Lanyard's cookie":      strings.Repeat("A", 43),
	} {
		t.Run(name, func(t *testing.T) {
			if token == "" {
				t.Fatal("there is no token")
			}
			client := w.Browser().HTTP()
			for _, path := range []string{"/api/v1/me", "/api/v1/workspaces", "/api/v1/leases", "/api/v1/workspaces/" + ws.ID + "/exec"} {
				for header, value := range map[string]string{"Authorization": "Bearer " + token, "Cookie": session.CookieName + "=" + token, "DPoP": token} {
					request{method: "GET", url: w.Info.URL + path, header: map[string]string{header: value}}.denied(t, client)
				}
			}
			request{method: "POST", url: w.Info.URL + "/api/v1/workspaces", body: `{"context_url":"` + payments + `"}`, header: map[string]string{
				"Authorization": "Bearer " + token, "Origin": w.Info.URL, "Content-Type": "application/json",
			}}.denied(t, client)
			for _, path := range []string{"/git/git.example.test/payments/api/info/refs?service=git-upload-pack", "/r/ledger/whoami"} {
				request{method: "GET", url: w.Info.URL + path, header: map[string]string{"Authorization": "Bearer " + token}}.denied(t, client)
			}
			request{method: "GET", url: ws.Terminal, header: map[string]string{"Cookie": session.CookieName + "=" + token}}.denied(t, client)
			// From inside the workspace, which may: what the client claims of itself counts for nothing.
			out := w.Must("ada", ws, "curl -sf -H 'Authorization: Bearer "+token+"' -H 'Lanyard-Assertion: "+token+"' http://127.0.0.1:7070/r/ledger/whoami")
			hasWords(t, "the ledger", out, `"name":"Ada Lovelace"`)
		})
	}
	t.Run("another tenant's answer", func(t *testing.T) {
		b := begin(t, w, "ada")
		b.with(t, func(q url.Values) { q.Set("code", foreign.Code) }).refused(t, b.HTTP(), 403, "invalid_grant")
		request{method: "GET", url: w.Info.URL + "/api/v1/me"}.refused(t, b.HTTP(), 401, "Sign in first")
	})
}

// denied sends a request that nobody may be let in by.
func (r request) denied(t *testing.T, client *http.Client) {
	t.Helper()
	status, body := r.send(t, client)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
	case http.StatusSeeOther, http.StatusFound: // a page leads to the sign-in
	default:
		t.Errorf("%s %s %v answered %d %s", r.method, r.url, r.header, status, body)
	}
}

// foreignTokens are what another tenant gives out.
type foreignTokens struct{ IDToken, AccessToken, Code string }

// otherTenant runs a second tenant, in which the same people have the same object IDs, and signs ada in there.
func otherTenant(t *testing.T) foreignTokens {
	t.Helper()
	var tenant *entrasim.Tenant
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tenant.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	back := "http://lanyard.localhost/login/callback/entra"
	org := entrasim.Contoso(entrasim.Sample{RedirectURIs: []string{back}, Secret: "another-secret-of-another-tenant"})
	org.TenantID = "11111111-2222-4333-8444-555555555555"
	var err error
	if tenant, err = entrasim.New(entrasim.Config{URL: s.URL, Organisation: org}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			t.Error(err)
		}
	})
	provider, err := oidc.NewProvider(t.Context(), tenant.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: entrasim.LanyardAppID, ClientSecret: "another-secret-of-another-tenant", Endpoint: provider.Endpoint(), RedirectURL: back,
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}
	code := func(verifier string) string {
		answer, err := entrasim.SignIn(t.Context(), s.Client(), config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), "ada@contoso.example", "lanyard-ada")
		if err != nil {
			t.Fatal(err)
		}
		return answer.Query().Get("code")
	}
	verifier := oauth2.GenerateVerifier()
	token, err := config.Exchange(t.Context(), code(verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := token.Extra("id_token").(string)
	return foreignTokens{id, token.AccessToken, code(oauth2.GenerateVerifier())}
}
