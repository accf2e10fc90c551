package entrasim

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// called is a token for Contoso Git that Lanyard has got for a person.
func (w *world) called(token *oauth2.Token) string {
	w.t.Helper()
	status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {ContosoGitAppID + "/user_impersonation"}})
	if status != http.StatusOK {
		w.t.Fatalf("%d %v", status, body)
	}
	return body["access_token"].(string)
}

// behalf exchanges a token as an app.
func (w *world) behalf(app, assertion string, more ...string) (int, map[string]any) {
	w.t.Helper()
	a, _ := w.App(app)
	form := url.Values{"grant_type": {onBehalfGrantType}, "client_id": {a.ClientID}, "client_secret": {a.Secret}, "assertion": {assertion},
		"requested_token_use": {"on_behalf_of"}, "scope": {"https://graph.microsoft.com/User.Read openid profile offline_access"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.post(form)
}

func onBehalfWorld(t *testing.T) *world {
	org := contoso()
	org.Apps[1].Consented = []string{GraphAppID}
	return newWorld(t, org)
}

func TestOnBehalfOf(t *testing.T) {
	w := onBehalfWorld(t)
	called := w.called(w.signIn("ada"))
	status, body := w.behalf("Contoso Git", called)
	if status != http.StatusOK || body["refresh_token"] == nil {
		t.Fatalf("%d %v", status, body)
	}
	c := claims(t, body["access_token"].(string))
	if c["oid"] != AdaID || c["azp"] != ContosoGitAppID || c["aud"] != GraphAppID || c["sid"] != claims(t, called)["sid"] {
		t.Errorf("the token says %v", c)
	}
	if id := claims(t, body["id_token"].(string)); id["oid"] != AdaID || id["aud"] != ContosoGitAppID {
		t.Errorf("the ID token says %v", id)
	}
	if status, body := w.behalf("Contoso Git", called, "claims", `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`); status != http.StatusBadRequest ||
		body["error"] != "interaction_required" || !strings.Contains(body["claims"].(string), "c1") {
		t.Errorf("a context that the caller has not: %d %v", status, body)
	}
}

// TestAttack12OnBehalfOf: nobody acts for a person but the app that the person's token is for, while it holds.
func TestAttack12OnBehalfOf(t *testing.T) {
	w, other := onBehalfWorld(t), onBehalfWorld(t)
	token := w.signIn("ada")
	called := w.called(token)
	parts := strings.Split(called, ".")
	for name, c := range map[string]struct {
		app, assertion string
		number         float64
	}{
		"another app":         {"Lanyard", called, 500131},
		"an ID token":         {"Lanyard", token.Extra("id_token").(string), 7000114},
		"an app's own token":  {"Contoso Git", w.appTokenFor("Lanyard", ContosoGitAppID+"/.default"), 7000114},
		"another signature":   {"Contoso Git", parts[0] + "." + parts[1] + "." + strings.Split(w.called(w.signIn("ken")), ".")[2], 50013},
		"no signature":        {"Contoso Git", parts[0] + "." + parts[1] + ".", 50013},
		"no algorithm":        {"Contoso Git", "eyJhbGciOiJub25lIn0." + parts[1] + ".", 50013},
		"another tenant":      {"Contoso Git", other.called(other.signIn("ada")), 50013},
		"something different": {"Contoso Git", "x", 50013},
	} {
		if status, body := w.behalf(c.app, c.assertion); status != http.StatusBadRequest || body["error"] != "invalid_grant" || number(body) != c.number {
			t.Errorf("%s: %d %v, want %v", name, status, body, c.number)
		}
	}
	if status, body := w.behalf("Contoso Git", called, "scope", "api://nobody/.default"); status != http.StatusBadRequest || number(body) != 500011 {
		t.Errorf("for nobody: %d %v", status, body)
	}
	w.clock.Add(2e9)
	w.RevokeSessions("ada")
	if status, body := w.behalf("Contoso Git", called); status != http.StatusBadRequest || number(body) != 50173 {
		t.Errorf("after a revocation: %d %v", status, body)
	}
	w.clock.Add(tokenLife)
	if status, body := w.behalf("Contoso Git", called); status != http.StatusBadRequest || number(body) != 500133 {
		t.Errorf("an hour later: %d %v", status, body)
	}
}

func (w *world) appTokenFor(app, scope string) string {
	w.t.Helper()
	a, _ := w.App(app)
	status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {a.ClientID}, "client_secret": {a.Secret}, "scope": {scope}})
	if status != http.StatusOK {
		w.t.Fatalf("%d %v", status, body)
	}
	return body["access_token"].(string)
}
