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

// TestNativeRedirects: an app with a secret may have a program on people's machines too, which has none; with what that
// program got nothing is done that takes the secret, and without the secret nothing with what the web application got.
func TestNativeRedirects(t *testing.T) {
	org := contoso()
	org.Apps[0].NativeURIs = []string{"http://localhost"}
	w := newWorld(t, org)
	sign := func(redirect string) string {
		back, err := SignIn(t.Context(), w.http, w.url+"/"+w.TenantID()+"/oauth2/v2.0/authorize?"+url.Values{
			"client_id": {LanyardAppID}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid offline_access"}}.Encode(), "ada", "lanyard-ada")
		if err != nil {
			t.Fatal(err)
		}
		return back.Query().Get("code")
	}
	redeem := func(redirect string, bare bool) (int, map[string]any) {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {sign(redirect)}, "redirect_uri": {redirect}}
		if bare {
			form.Set("client_id", LanyardAppID)
		}
		return w.post(form)
	}
	status, body := redeem("http://localhost:1234", true)
	if status != http.StatusOK || claims(t, body["access_token"].(string))["azpacr"] != "0" {
		t.Fatalf("a program: %d %v", status, body)
	}
	refresh := func(token any, bare bool) (int, map[string]any) {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
		if bare {
			form.Set("client_id", LanyardAppID)
		}
		return w.post(form)
	}
	if status, body := refresh(body["refresh_token"], true); status != http.StatusOK {
		t.Errorf("its refresh token: %d %v", status, body)
	}
	if status, body := redeem(callback, true); status != http.StatusUnauthorized || number(body) != 7000218 {
		t.Errorf("the web application's code without the secret: %d %v", status, body)
	}
	if status, body = redeem(callback, false); status != http.StatusOK {
		t.Fatalf("with the secret: %d %v", status, body)
	}
	if status, body := refresh(body["refresh_token"], true); status != http.StatusUnauthorized || number(body) != 7000218 {
		t.Errorf("the web application's refresh token without the secret: %d %v", status, body)
	}
	if status, body := w.post(url.Values{"client_id": {LanyardAppID}, "grant_type": {"client_credentials"}, "scope": {w.GraphScope()}}); status != http.StatusUnauthorized || number(body) != 7000218 {
		t.Errorf("the app itself: %d %v", status, body)
	}
}
