package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// open asks the authorization endpoint as the browser does, with name, value pairs of parameters.
func (w *world) open(pairs ...string) (*http.Response, string) {
	w.t.Helper()
	var options []oauth2.AuthCodeOption
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, oauth2.SetAuthURLParam(pairs[i], pairs[i+1]))
	}
	answer, err := w.http.Get(w.lanyard().AuthCodeURL("st", options...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer, string(page)
}

func TestSessionSignsInAgain(t *testing.T) {
	w := newWorld(t, contoso())
	first := claims(t, w.signIn("ada").Extra("id_token").(string))
	for _, c := range []struct {
		name   string
		params []string
		asks   bool
	}{
		{"plain", nil, false},
		{"none", []string{"prompt", "none"}, false},
		{"login", []string{"prompt", "login"}, true},
		{"select_account", []string{"prompt", "select_account"}, true},
		{"the same person", []string{"login_hint", "ada@contoso.example"}, false},
		{"the same person by the claim", []string{"login_hint", hintOf(AdaID, ContosoTenantID)}, false},
		{"another person", []string{"login_hint", "grace@contoso.example"}, true},
		{"another person by the claim", []string{"login_hint", hintOf(GraceID, ContosoTenantID)}, true},
		{"nobody by the claim", []string{"login_hint", hintOf("x", ContosoTenantID)}, true},
		{"step-up", []string{"claims", `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`}, true},
		{"a context without policy", []string{"claims", `{"id_token":{"acrs":{"essential":true,"value":"c7"}}}`}, false},
		{"recent enough", []string{"max_age", "60"}, false},
	} {
		answer, page := w.open(c.params...)
		switch asked := answer.StatusCode == http.StatusOK; {
		case asked != c.asks:
			t.Errorf("%s: %s", c.name, answer.Status)
		case !asked:
			if to, _ := answer.Location(); to.Query().Get("code") == "" || to.Query().Get("session_state") != first["sid"] {
				t.Errorf("%s: went to %s", c.name, to)
			}
		case strings.HasPrefix(c.name, "another person") && !strings.Contains(page, `value="grace@contoso.example"`):
			t.Error("the hint is not filled in")
		case c.name == "select_account" && !strings.Contains(page, `id="continue"`):
			t.Error("the signed-in account is not offered")
		}
	}
	w.clock.Add(2 * time.Minute)
	if answer, _ := w.open("max_age", "60"); answer.StatusCode != http.StatusOK {
		t.Errorf("max_age: %s", answer.Status)
	}
	if again := claims(t, w.signIn("ada").Extra("id_token").(string)); again["sid"] != first["sid"] || again["auth_time"] == first["auth_time"] {
		t.Errorf("a new password: sid %v then %v, auth_time %v then %v", first["sid"], again["sid"], first["auth_time"], again["auth_time"])
	}
	w.SetEnabled("ada", false)
	answer, _ := w.open("prompt", "none")
	if to, _ := answer.Location(); to.Query().Get("error") != "login_required" || !strings.HasPrefix(to.Query().Get("error_description"), "AADSTS50057") {
		t.Errorf("disabled: %s", to)
	}
}

func TestContinueWithTheSession(t *testing.T) {
	w := newWorld(t, contoso())
	w.signIn("ada")
	answer, err := w.http.PostForm(w.lanyard().AuthCodeURL("st", oauth2.SetAuthURLParam("prompt", "select_account")), url.Values{"action": {"continue"}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if to, err := answer.Location(); err != nil || to.Query().Get("code") == "" {
		t.Errorf("%s: %v", answer.Status, to)
	}
}

func TestStepUp(t *testing.T) {
	w := newWorld(t, contoso())
	wanted := oauth2.SetAuthURLParam("claims", `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`)
	if c := claims(t, w.signIn("ada").Extra("id_token").(string)); c["acrs"] != nil {
		t.Errorf("acrs without asking: %v", c["acrs"])
	}
	config := w.lanyard()
	back, err := SignIn(t.Context(), w.http, config.AuthCodeURL("st", wanted), "ada", "lanyard-ada")
	if err != nil {
		t.Fatal(err)
	}
	token, err := config.Exchange(w.ctx(), back.Query().Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if c := claims(t, token.Extra("id_token").(string)); !sameSet(c["acrs"], "c1") {
		t.Errorf("acrs %v", c["acrs"])
	}
	if answer, _ := w.open("claims", `{"id_token":{"acrs":{"value":"c1"}}}`, "prompt", "none"); answer.StatusCode != http.StatusFound {
		t.Errorf("once more: %s", answer.Status)
	}
}

func TestFormPost(t *testing.T) {
	w := newWorld(t, contoso())
	w.signIn("ada")
	answer, page := w.open("response_mode", "form_post", "state", `"><b>`)
	if answer.StatusCode != http.StatusOK || !strings.Contains(page, `action="`+callback+`"`) || !strings.Contains(page, `name="code" value="1.`) {
		t.Errorf("%s: %s", answer.Status, page)
	}
	if strings.Contains(page, `"><b>`) {
		t.Error("state is not escaped")
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t, contoso())
	token := w.signIn("ada")
	sid := claims(t, token.Extra("id_token").(string))["sid"].(string)
	logout := func(next string) (*http.Response, string) {
		answer, err := w.http.Get(w.url + "/" + w.TenantID() + "/oauth2/v2.0/logout?" + url.Values{"post_logout_redirect_uri": {next}, "state": {"x"}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		page, _ := io.ReadAll(answer.Body)
		return answer, string(page)
	}
	_, page := logout("http://lanyard.localhost/")
	if !strings.Contains(page, `src="http://lanyard.localhost/logout/front?`) || !strings.Contains(page, "sid="+sid) || !strings.Contains(page, "iss=") {
		t.Errorf("no front-channel logout: %s", page)
	}
	if !strings.Contains(page, `href="http://lanyard.localhost/?state=x"`) {
		t.Errorf("no way back: %s", page)
	}
	if answer, _ := w.open(); answer.StatusCode != http.StatusOK {
		t.Errorf("the session goes on: %s", answer.Status)
	}
	if answer, _ := logout("http://lanyard.localhost/"); answer.StatusCode != http.StatusFound {
		t.Errorf("without a session: %s", answer.Status)
	}
	if status, _ := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}}); status != http.StatusOK {
		t.Errorf("sign-out revoked the refresh token: %d", status)
	}
}
