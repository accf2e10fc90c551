package entrasim

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// TestAttack06SessionFixation: a cookie that was in the browser before sign-in is not the session.
func TestAttack06SessionFixation(t *testing.T) {
	w := newWorld(t, contoso())
	base, _ := url.Parse(w.url)
	cookie := func() string {
		for _, c := range w.http.Jar.Cookies(base) {
			if c.Name == sessionCookie {
				return c.Value
			}
		}
		return ""
	}
	w.http.Jar.SetCookies(base, []*http.Cookie{{Name: sessionCookie, Value: "planted", Path: "/"}})
	w.signIn("ada")
	first := cookie()
	w.signIn("grace")
	if first == "planted" || cookie() == first {
		t.Error("a sign-in kept the former cookie")
	}
	w.http.Jar.SetCookies(base, []*http.Cookie{{Name: sessionCookie, Value: first, Path: "/"}})
	if answer, _ := w.open("prompt", "none"); !strings.Contains(answer.Header.Get("Location"), "login_required") {
		t.Error("the former session goes on")
	}
}

// TestAttack07OpenRedirect: sign-out and consent lead to registered addresses only.
func TestAttack07OpenRedirect(t *testing.T) {
	w := newWorld(t, contoso())
	for _, to := range []string{"http://evil.example.test/", "//evil.example.test", `/\evil.example.test`, "http://lanyard.localhost/x", "http://lanyard.localhost"} {
		answer, err := w.http.Get(w.url + "/" + w.TenantID() + "/oauth2/v2.0/logout?post_logout_redirect_uri=" + url.QueryEscape(to))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s to %s", to, answer.Status, answer.Header.Get("Location"))
		}
		if _, err := SignIn(t.Context(), newBrowser(), w.adminConsentURL(to), "margaret", password("margaret")); err == nil || !strings.Contains(err.Error(), "AADSTS50011") {
			t.Errorf("consent returns to %s: %v", to, err)
		}
	}
}

// TestAttack12ForgedTokens: Graph takes tokens signed by this tenant for Graph, and no others.
func TestAttack12ForgedTokens(t *testing.T) {
	w, other := newWorld(t, contoso()), newWorld(t, contoso())
	sign := func(alg jose.SignatureAlgorithm, key any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", w.keys.Keys[0].kid()))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(`{"aud":"` + GraphAppID + `","iss":"` + w.Issuer() + `","azp":"x","exp":99999999999,"roles":["` + DirectoryWrite + `","User.Read.All"]}`))
		if err != nil {
			t.Fatal(err)
		}
		token, _ := signed.CompactSerialize()
		return token
	}
	user := w.signIn("ada")
	for name, token := range map[string]string{
		"nothing":               "",
		"no algorithm":          "eyJhbGciOiJub25lIn0.eyJhdWQiOiIwMDAwMDAwMyJ9.",
		"the certificate as HS": sign(jose.HS256, w.keys.Keys[0].Cert),
		"another tenant's key":  sign(jose.RS256, other.keys.Keys[0].key),
		"another tenant":        other.graphToken("Directory tools"),
		"an ID token":           user.Extra("id_token").(string),
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", w.GraphURL()+"/users", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := decodeBody(t, answer)
		if answer.StatusCode != http.StatusUnauthorized || body["error"].(map[string]any)["code"] != "InvalidAuthenticationToken" {
			t.Errorf("%s: %d %v", name, answer.StatusCode, body)
		}
	}
}

// TestAttack14CrossOriginForms: neither the sign-in form nor the portal takes a form of another site.
func TestAttack14CrossOriginForms(t *testing.T) {
	w := newWorld(t, contoso())
	for path, form := range map[string]url.Values{
		w.lanyard().AuthCodeURL("s"):                   {"action": {"signin"}, "username": {"mallory"}, "password": {"lanyard-mallory"}},
		w.PortalURL() + "/people/" + AdaID + "/delete": {"form": {w.formToken()}},
		w.PortalURL() + "/faults/request":              {"form": {w.formToken()}, "kind": {FaultDrop}},
		w.PortalURL() + "/assignments/assign":          {"form": {w.formToken()}, "app": {LanyardAppID}, "principal": {MalloryID}, "role": {"Payments.Lead"}},
		w.PortalURL() + "/bin/purge":                   {"form": {w.formToken()}, "id": {AdaID}},
		w.PortalURL() + "/apps/consent":                {"form": {w.formToken()}, "app": {LanyardAppID}},
		w.PortalURL() + "/policies/add":                {"form": {w.formToken()}, "name": {"x"}, "control": {ControlBlock}},
		w.lanyard().AuthCodeURL("consents"):            {"action": {"accept"}, "everybody": {"yes"}},
		w.lanyard().AuthCodeURL("factor"):              {"action": {"mfa"}, "code": {"000000"}},
		w.adminConsentURL(callback):                    {"action": {"accept"}},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-site")
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	if _, still := w.User("ada"); !still {
		t.Error("ada is gone")
	}
	if now, _ := w.Faults(); now.any() {
		t.Errorf("faults: %+v", now)
	}
	if app, _ := w.App("Lanyard"); w.assigned(app, MalloryID) {
		t.Error("mallory is assigned")
	}
	if len(w.Policies()) != 0 {
		t.Errorf("policies: %v", w.Policies())
	}
}

func (w *world) adminConsentURL(redirect string) string {
	return w.url + "/" + w.TenantID() + "/adminconsent?" + url.Values{"client_id": {LanyardAppID}, "redirect_uri": {redirect}, "state": {"s"}}.Encode()
}

// TestAttack22HostNames: another name for the same listener gets nothing.
func TestAttack22HostNames(t *testing.T) {
	w := newWorld(t, contoso())
	for _, path := range []string{"/portal", "/v1.0/users", "/" + w.TenantID() + "/v2.0/.well-known/openid-configuration"} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+path, nil)
		req.Host = "rebound.example.test"
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
}

// TestAttack17CodeOfAnotherClient: a code and a refresh token work for the client they were made for.
func TestAttack17CodeOfAnotherClient(t *testing.T) {
	w := newWorld(t, contoso())
	tools, _ := w.App("Directory tools")
	thief := &oauth2.Config{ClientID: tools.ClientID, ClientSecret: tools.Secret, RedirectURL: callback, Endpoint: w.lanyard().Endpoint}
	back, err := SignIn(t.Context(), w.http, w.lanyard().AuthCodeURL("s"), "ada", "lanyard-ada")
	if err != nil {
		t.Fatal(err)
	}
	_, err = thief.Exchange(w.ctx(), back.Query().Get("code"))
	if kind, number := refused(t, err); kind != "invalid_grant" || number != "AADSTS70000" {
		t.Errorf("code: %s %s", kind, number)
	}
	_, err = thief.TokenSource(w.ctx(), &oauth2.Token{RefreshToken: w.signIn("ada").RefreshToken}).Token()
	if kind, number := refused(t, err); kind != "invalid_grant" || number != "AADSTS70000" {
		t.Errorf("refresh token: %s %s", kind, number)
	}
}
