package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAttack07LoopbackRedirects: a program on the person's machine listens on any port; everything else of a redirect URI
// is to the letter.
func TestAttack07LoopbackRedirects(t *testing.T) {
	app := App{RedirectURIs: []string{"http://localhost", "http://127.0.0.1/back", "http://localhost/other?a=1", "https://localhost/secure", "https://app.example.test/back"}}
	for uri, want := range map[string]bool{
		"http://localhost": true, "http://localhost/": true, "http://localhost:49152": true, "http://localhost:49152/": true,
		"http://127.0.0.1:1/back": true, "http://localhost:2/other?a=1": true, "https://app.example.test/back": true, "https://localhost/secure": true,
		"http://localhost:1/elsewhere": false, "http://127.0.0.1:1": false, "http://localhost:1/back": false, "http://localhost:2/other": false, "http://localhost:2/other?a=2": false,
		"https://localhost:1/secure": false, "https://localhost:1": false, "http://app.example.test/back": false, "https://app.example.test:444/back": false,
		"http://localhost.example.test": false, "http://localhost:1@evil.example.test/": false, "http://evil@localhost:1": false, "http://localhost:1#x": false,
		"http://[::1]:1": false, "http://lanyard.localhost:1": false, "": false, "javascript:alert(1)": false,
	} {
		if app.returnsTo(uri) != want {
			t.Errorf("%q: %v", uri, !want)
		}
	}
}

// TestAuthorities: an app of several organisations signs people in at common; an app of one is told to name its tenant.
func TestAuthorities(t *testing.T) {
	w := newWorld(t, withTool())
	for _, c := range []struct{ tenant, client, redirect, want string }{
		{"common", toolID, "http://localhost:1234", ""},
		{"organizations", toolID, "http://localhost:1234", ""},
		{"contoso.example", toolID, "http://localhost:1234", ""},
		{"common", LanyardAppID, callback, "AADSTS50194"},
		{newGUID(), toolID, "http://localhost:1234", "AADSTS90002"},
		{"consumers", toolID, "http://localhost:1234", "AADSTS90002"},
	} {
		answer, err := w.http.Get(w.url + "/" + c.tenant + "/oauth2/v2.0/authorize?" + url.Values{
			"client_id": {c.client}, "redirect_uri": {c.redirect}, "response_type": {"code"}, "scope": {"openid User.Read"},
			"nonsense": {"is ignored"}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if c.want == "" && (answer.StatusCode != http.StatusOK || !strings.Contains(string(page), "Sign in")) || !strings.Contains(string(page), c.want) {
			t.Errorf("%s at %s: %s %s", c.client, c.tenant, answer.Status, page)
		}
	}
	app, _ := w.App("Lanyard")
	answer, err := w.http.PostForm(w.url+"/common/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID},
		"client_secret": {app.Secret}, "scope": {"openid profile offline_access https://graph.microsoft.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	if body := decodeBody(t, answer); number(body) != 50194 {
		t.Errorf("the token endpoint: %v", body)
	}
}
