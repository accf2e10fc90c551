package issuer_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

// An address that is not registered is never redirected to, however little it differs (SECURITY row 7).
func TestAttack07RedirectOfOneCharacter(t *testing.T) {
	w := newWorld(t)
	_, s256 := challenge()
	for client, addresses := range map[string][]string{
		portal: {portalBack + "/", portalBack + "?", "https://portal.example.test/Back", "http://portal.example.test/back", "https://portal.example.test:443/back",
			"https://portal.example.test.evil.test/back", "https://portal.example.test/back#x", "", "javascript:alert(1)"},
		issuer.CLI: {"http://localhost:51234/callback", "http://127.0.0.2:51234/callback", "http://127.0.0.1:51234/callback/", "https://127.0.0.1:51234/callback",
			"http://127.0.0.1:51234@evil.test/callback", "http://127.0.0.1.evil.test:80/callback", "http://x@127.0.0.1:51234/callback", "http://127.0.0.1:51234/callback?a=b"},
	} {
		for _, to := range addresses {
			q := url.Values{"client_id": {client}, "redirect_uri": {to}, "response_type": {"code"}, "code_challenge": {s256}, "code_challenge_method": {"S256"}}
			if resp, body := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
				t.Errorf("%s to %q: %d %s %s", client, to, resp.StatusCode, resp.Header.Get("Location"), body)
			}
			q.Set("go", "on")
			if resp, _ := w.browse(issuer.AuthorizePath, q); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
				t.Errorf("allowed: %s to %q: %d %s", client, to, resp.StatusCode, resp.Header.Get("Location"))
			}
		}
	}
	if !w.noted("oauth:authorize", "not registered") {
		t.Error("not in the log")
	}
}

// noted reports whether a refusal of Ada's stands in the log.
func (w *world) noted(action, why string) bool {
	return slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool {
		return e.Action == action && e.Outcome == audit.Denied && e.User != nil && e.User.Object == ada.Object && strings.Contains(strings.Join(e.Reasons, ";"), why)
	})
}

// A code is good once, for its client, its address and its verifier (RFC 7636; no downgrade to plain or to none).
func TestAttack17CodeOfAnother(t *testing.T) {
	w := newWorld(t)
	p := w.program(issuer.CLI)
	other := &program{w: w, id: portal, secret: portalSecret}
	for name, try := range map[string]func(code, verifier string) answer{
		"a wrong verifier": func(code, _ string) answer { return p.post(issuer.TokenPath, byCode(code, "x", laptop)) },
		"no verifier":      func(code, _ string) answer { return p.post(issuer.TokenPath, byCode(code, "", laptop)) },
		"another address": func(code, verifier string) answer {
			return p.post(issuer.TokenPath, byCode(code, verifier, "http://127.0.0.1:1/callback"))
		},
		"another client": func(code, verifier string) answer {
			return other.post(issuer.TokenPath, byCode(code, verifier, laptop))
		},
		"a second time": func(code, verifier string) answer {
			if a := p.post(issuer.TokenPath, byCode(code, verifier, laptop)); a.Status != http.StatusOK {
				t.Errorf("the first time: %+v", a)
			}
			return p.post(issuer.TokenPath, byCode(code, verifier, laptop))
		},
	} {
		if a := try(w.code(issuer.CLI, laptop, nil)); a.Error != "invalid_grant" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for name, change := range map[string]url.Values{
		"plain":        {"code_challenge_method": {"plain"}},
		"no method":    {"code_challenge_method": {""}},
		"no challenge": {"code_challenge": {""}},
		"short":        {"code_challenge": {"abc"}},
	} {
		_, s256 := challenge()
		q := url.Values{"client_id": {issuer.CLI}, "redirect_uri": {laptop}, "response_type": {"code"}, "code_challenge": {s256}, "code_challenge_method": {"S256"}}
		for k, v := range change {
			q[k] = v
		}
		if resp, _ := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil); !strings.Contains(resp.Header.Get("Location"), "error=invalid_request") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if !w.noted("oauth:authorize", "S256") {
		t.Error("not in the log")
	}
}

// A refresh token that two have is used by both at once: one gets tokens, and then the session is over for both.
func TestAttack18RefreshTokenTwice(t *testing.T) {
	w := newWorld(t)
	p := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	first := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	var both sync.WaitGroup
	answers := make([]answer, 2)
	for i := range answers {
		both.Go(func() { answers[i] = p.postWith(issuer.TokenPath, byRefresh(first.Refresh), nil) })
	}
	both.Wait()
	if (answers[0].Status == http.StatusOK) == (answers[1].Status == http.StatusOK) {
		t.Errorf("%+v %+v", answers[0], answers[1])
	}
	for _, a := range answers {
		if a.Status == http.StatusOK {
			if again := p.post(issuer.TokenPath, byRefresh(a.Refresh)); again.Error != "invalid_grant" {
				t.Errorf("the family lives on: %+v", again)
			}
			if me := p.me(a.Access, nil); me.Status != http.StatusUnauthorized {
				t.Errorf("its access token: %+v", me)
			}
		}
	}
}

// Tokens are of no use without the key that they are bound to, and a proof is for one request.
func TestAttack17StolenTokens(t *testing.T) {
	w := newWorld(t)
	p, thief := w.program(issuer.CLI), w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	got := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	if a := thief.me(got.Access, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("the access token with another key: %+v", a)
	}
	if a := thief.post(issuer.TokenPath, byRefresh(got.Refresh)); a.Error != "invalid_dpop_proof" {
		t.Errorf("the refresh token with another key: %+v", a)
	}
	bare := &program{w: w, id: issuer.CLI}
	if a := bare.post(issuer.TokenPath, byRefresh(got.Refresh)); a.Error != "invalid_dpop_proof" {
		t.Errorf("the refresh token without a key: %+v", a)
	}
	p.me(got.Access, nil) // p has a nonce now
	for name, changes := range map[string]map[string]any{
		"another method":  {"htm": "POST"},
		"another path":    {"htu": w.url + "/api/v1/you"},
		"another token":   {"ath": "x"},
		"an old one":      {"iat": w.clock().Add(-time.Hour).Unix()},
		"one made ahead":  {"iat": w.clock().Add(time.Hour).Unix()},
		"a guessed nonce": {"nonce": "guessed"},
	} {
		if a := p.me(got.Access, changes); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool { return e.Action == "oauth:access" && e.Outcome == audit.Denied }) {
		t.Error("not in the log")
	}
	once := map[string]any{"jti": "the same"}
	if a := p.me(got.Access, once); a.Status != http.StatusOK {
		t.Errorf("a proof: %+v", a)
	}
	if a := p.me(got.Access, once); a.Status != http.StatusUnauthorized {
		t.Errorf("a proof a second time: %+v", a)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/api/v1/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+got.Access)
	if a := w.answered(r); a.Status == http.StatusOK {
		t.Errorf("as a bearer: %+v", a)
	}
	if a := p.me(got.ID, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("an ID token as an access token: %+v", a)
	}
	if a := p.post(issuer.TokenPath, byRefresh(got.Refresh)); a.Status != http.StatusOK {
		t.Errorf("none of that spent anything: %+v", a)
	}
	w.sessions.EndUser(t.Context(), ada, "the operator ended it")
	if a := p.me(got.Access, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("after the sign-in's end: %+v", a)
	}
}

// A program that was allowed something allows nothing to others: what it made would outlive it.
func TestAttack18AProgramAllowsNoOther(t *testing.T) {
	w := newWorld(t)
	p := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	got := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	asked := p.post(issuer.DeviceAuthPath, nil)
	p.me(got.Access, nil) // p has a nonce now
	for path, form := range map[string]url.Values{
		issuer.DevicePath:    {"user_code": {asked.User}, "go": {"on"}},
		issuer.AuthorizePath: {"go": {"on"}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", w.url)
		r.Header.Set("Authorization", "DPoP "+got.Access)
		r.Header.Set("DPoP", p.proof(http.MethodPost, w.url+path, got.Access, nil))
		if a := w.answered(r); a.Status < 400 {
			t.Errorf("%s: %+v", path, a)
		}
	}
}

// What is not as it should be is refused in OAuth's own words, and nothing of it echoes.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	cli, other := w.program(issuer.CLI), &program{w: w, id: portal, secret: portalSecret}
	wrong := &program{w: w, id: portal, secret: "wrong"}
	nobody := &program{w: w, id: "nobody"}
	for name, c := range map[string]struct {
		a    answer
		code string
	}{
		"no grant":              {cli.post(issuer.TokenPath, nil), "invalid_request"},
		"an unknown grant":      {cli.post(issuer.TokenPath, url.Values{"grant_type": {"password"}}), "unsupported_grant_type"},
		"an unknown client":     {nobody.post(issuer.TokenPath, byRefresh("x")), "invalid_client"},
		"a wrong secret":        {wrong.post(issuer.TokenPath, byRefresh("x")), "invalid_client"},
		"twice":                 {cli.post(issuer.TokenPath, url.Values{"grant_type": {"refresh_token", "password"}}), "invalid_request"},
		"another resource":      {other.post(issuer.TokenPath, url.Values{"grant_type": {"refresh_token"}, "resource": {"https://other.example.test"}}), "invalid_target"},
		"an unknown refresh":    {cli.post(issuer.TokenPath, byRefresh("x")), "invalid_grant"},
		"an unknown device":     {cli.post(issuer.TokenPath, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"x"}}), "expired_token"},
		"not for devices":       {other.post(issuer.DeviceAuthPath, nil), "unauthorized_client"},
		"introspection by all":  {cli.post(issuer.IntrospectionPath, url.Values{"token": {"x"}}), "unauthorized_client"},
		"revocation of nothing": {cli.post(issuer.RevocationPath, nil), "invalid_request"},
	} {
		if c.a.Error != c.code || c.a.Status < 400 || c.a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %+v", name, c.a)
		}
	}
	if a := other.post(issuer.IntrospectionPath, url.Values{"token": {"x"}}); a.Status != http.StatusOK || a.Active {
		t.Errorf("introspection of nothing: %+v", a)
	}
}
