package entrasim

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestCodeFlow signs in with an independent client and looks at every claim.
func TestCodeFlow(t *testing.T) {
	w := newWorld(t, contoso())
	provider, err := oidc.NewProvider(w.ctx(), w.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	config, verifier := w.lanyard(), oauth2.GenerateVerifier()
	config.Endpoint = provider.Endpoint()
	link := config.AuthCodeURL("st&1", oidc.Nonce("n-1"), oauth2.S256ChallengeOption(verifier))

	answer, err := w.http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	for _, want := range []string{"Ada Lovelace", `data-user="ada@contoso.example"`, `name="password"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the sign-in page lacks %q", want)
		}
	}

	back, err := SignIn(t.Context(), w.http, link, "ada@contoso.example", "lanyard-ada")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(back.String(), callback+"?") || back.Query().Get("state") != "st&1" || back.Query().Get("session_state") == "" {
		t.Errorf("came back to %s", back)
	}
	token, err := config.Exchange(w.ctx(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID, Now: w.clock.Now}).Verify(w.ctx(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "n-1" || token.RefreshToken == "" || token.Extra("expires_in").(float64) != 3599 {
		t.Errorf("nonce %q, refresh %q, expires_in %v", id.Nonce, token.RefreshToken, token.Extra("expires_in"))
	}
	c := claims(t, raw)
	for name, want := range map[string]any{
		"ver": "2.0", "tid": ContosoTenantID, "oid": AdaID, "name": "Ada Lovelace", "preferred_username": "ada@contoso.example",
		"email": "ada@contoso.example", "sid": back.Query().Get("session_state"),
	} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	for _, there := range []string{"sub", "uti", "rh", "aio", "auth_time", "nbf"} {
		if c[there] == nil {
			t.Errorf("%s is missing", there)
		}
	}
	if c["sub"] == AdaID {
		t.Error("sub is not pairwise")
	}
	now := float64(w.clock.Now().Unix())
	if c["iat"] != now-300 || c["nbf"] != now-300 || c["exp"].(float64)-c["iat"].(float64) != 3900 {
		t.Errorf("iat %v nbf %v exp %v now %v", c["iat"], c["nbf"], c["exp"], now)
	}
	if got := c["groups"]; !sameSet(got, PaymentsEngineersID, AllEmployeesID) {
		t.Errorf("groups %v", got)
	}
	userinfo, err := provider.UserInfo(w.ctx(), oauth2.StaticTokenSource(token))
	if err != nil || userinfo.Subject != id.Subject {
		t.Errorf("userinfo: %v, %v", userinfo, err)
	}
}

func sameSet(got any, want ...string) bool {
	var have []string
	list, _ := got.([]any)
	for _, v := range list {
		have = append(have, v.(string))
	}
	return slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(want)))
}

func TestNestedGroupsAndRoles(t *testing.T) {
	w := newWorld(t, contoso())
	barbara := claims(t, w.signIn("barbara").Extra("id_token").(string))
	if !sameSet(barbara["groups"], PaymentsAPITeamID, PaymentsEngineersID, AllEmployeesID) {
		t.Errorf("groups of barbara: %v", barbara["groups"])
	}
	grace := claims(t, w.signIn("grace").Extra("id_token").(string))
	if !sameSet(grace["roles"], "Payments.Lead") {
		t.Errorf("roles of grace: %v", grace["roles"])
	}
}

func TestGroupOverage(t *testing.T) {
	org := contoso()
	for range 201 {
		org.Groups = append(org.Groups, Group{ID: newGUID(), DisplayName: "many", Members: []string{AdaID}})
	}
	c := claims(t, newWorld(t, org).signIn("ada").Extra("id_token").(string))
	names, _ := c["_claim_names"].(map[string]any)
	sources, _ := c["_claim_sources"].(map[string]any)
	if c["groups"] != nil || names["groups"] != "src1" || sources["src1"] == nil {
		t.Errorf("overage: groups %v, %v, %v", c["groups"], names, sources)
	}
}

// refused is what the token endpoint said no with.
func refused(t *testing.T, err error) (string, string) {
	t.Helper()
	var failed *oauth2.RetrieveError
	if !errors.As(err, &failed) {
		t.Fatalf("not a refusal: %v", err)
	}
	if !strings.Contains(failed.ErrorDescription, "\r\nTrace ID: ") {
		t.Errorf("no trace in %q", failed.ErrorDescription)
	}
	code, _, _ := strings.Cut(failed.ErrorDescription, ":")
	return failed.ErrorCode, code
}

func TestCodeIsTakenOnceAndOnlyWithItsVerifier(t *testing.T) {
	w := newWorld(t, contoso())
	config := w.lanyard()
	code := func(verifier string) string {
		back, err := SignIn(t.Context(), w.http, config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), "ada", "lanyard-ada")
		if err != nil {
			t.Fatal(err)
		}
		return back.Query().Get("code")
	}
	verifier := oauth2.GenerateVerifier()
	first := code(verifier)
	if _, err := config.Exchange(w.ctx(), first, oauth2.VerifierOption(verifier)); err != nil {
		t.Fatal(err)
	}
	_, err := config.Exchange(w.ctx(), first, oauth2.VerifierOption(verifier))
	if kind, number := refused(t, err); kind != "invalid_grant" || number != "AADSTS54005" {
		t.Errorf("replay: %s %s", kind, number)
	}
	for _, wrong := range []string{oauth2.GenerateVerifier(), ""} {
		_, err = config.Exchange(w.ctx(), code(verifier), oauth2.VerifierOption(wrong))
		if kind, number := refused(t, err); kind != "invalid_grant" || number != "AADSTS501481" {
			t.Errorf("verifier %q: %s %s", wrong, kind, number)
		}
	}
	late := code(verifier)
	w.clock.Add(codeLife)
	_, err = config.Exchange(w.ctx(), late, oauth2.VerifierOption(verifier))
	if _, number := refused(t, err); number != "AADSTS70008" {
		t.Errorf("after ten minutes: %s", number)
	}
}

func TestSignInRefusals(t *testing.T) {
	w := newWorld(t, contoso())
	link := w.lanyard().AuthCodeURL("s")
	for user, c := range map[string]struct{ password, want string }{
		"ada":    {"wrong", "AADSTS50126"},
		"leo":    {"lanyard-leo", "AADSTS50057"},
		"nobody": {"lanyard-nobody", "AADSTS50034"},
	} {
		_, err := SignIn(t.Context(), w.http, link, user, c.password)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", user, err, c.want)
		}
	}
	if _, err := SignIn(t.Context(), w.http, link, "ada", "lanyard-ada"); err != nil {
		t.Errorf("after a wrong password: %v", err)
	}
}

func TestErrorPageInsteadOfRedirect(t *testing.T) {
	w := newWorld(t, contoso())
	good := w.lanyard()
	for want, change := range map[string]func(url.Values){
		"AADSTS700016": func(q url.Values) { q.Set("client_id", newGUID()) },
		"AADSTS50011":  func(q url.Values) { q.Set("redirect_uri", callback+"/") },
		"AADSTS900144": func(q url.Values) { q.Del("client_id") },
	} {
		u, _ := url.Parse(good.AuthCodeURL("s"))
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		answer, err := w.http.Get(u.String())
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(page), want) {
			t.Errorf("%s: %s", want, answer.Status)
		}
	}
}

func TestErrorRedirects(t *testing.T) {
	w := newWorld(t, contoso())
	for _, c := range []struct{ name, value, want, number string }{
		{"prompt", "none", "login_required", "AADSTS50058"},
		{"response_type", "id_token", "unsupported_response_type", "AADSTS700054"},
		{"scope", "openid nobody.knows/.default", "invalid_resource", "AADSTS500011"},
	} {
		answer, err := w.http.Get(w.lanyard().AuthCodeURL("st", oauth2.SetAuthURLParam(c.name, c.value)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		to, err := answer.Location()
		if err != nil {
			t.Fatalf("%s: %s", c.name, answer.Status)
		}
		q := to.Query()
		if q.Get("error") != c.want || q.Get("state") != "st" || !strings.HasPrefix(q.Get("error_description"), c.number+": ") {
			t.Errorf("%s=%s: %s", c.name, c.value, to)
		}
	}
}

func TestRefreshForAnotherResource(t *testing.T) {
	w := newWorld(t, contoso())
	token := w.signIn("ada")
	status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken},
		"scope": {ContosoGitAppID + "/.default offline_access"}})
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, body)
	}
	c := claims(t, body["access_token"].(string))
	for name, want := range map[string]any{
		"aud": ContosoGitAppID, "ver": "2.0", "oid": AdaID, "azp": LanyardAppID, "azpacr": "1", "scp": "user_impersonation", "iss": w.Issuer(),
		"preferred_username": "ada@contoso.example", "email": "ada@contoso.example",
	} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	if c["sub"] == claims(t, token.Extra("id_token").(string))["sub"] {
		t.Error("sub is the same at two apps")
	}
	if body["refresh_token"] == nil || body["refresh_token"] == token.RefreshToken || body["id_token"] != nil {
		t.Errorf("refresh %v, id_token %v", body["refresh_token"], body["id_token"])
	}
	// The token that was redeemed stays good, and the new one works for the first resource too.
	for _, value := range []string{token.RefreshToken, body["refresh_token"].(string)} {
		if status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}, "scope": {"openid profile offline_access"}}); status != 200 || body["id_token"] == nil {
			t.Errorf("again: %d %v", status, body)
		}
	}
}

func TestRefreshEndsWithTheUser(t *testing.T) {
	w := newWorld(t, contoso())
	refresh := func(token *oauth2.Token) (string, string) {
		_, err := w.lanyard().TokenSource(w.ctx(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		if err == nil {
			return "", ""
		}
		return refused(t, err)
	}
	token := w.signIn("ada")
	w.SetEnabled("ada", false)
	if kind, number := refresh(token); kind != "invalid_grant" || number != "AADSTS50057" {
		t.Errorf("disabled: %s %s", kind, number)
	}
	w.SetEnabled("ada", true)
	if kind, _ := refresh(token); kind != "" {
		t.Errorf("enabled again: %s", kind)
	}
	w.RevokeSessions("ada")
	if kind, number := refresh(token); kind != "invalid_grant" || number != "AADSTS50173" {
		t.Errorf("revoked: %s %s", kind, number)
	}
	token = w.signIn("ada")
	if kind, number := refresh(token); kind != "" {
		t.Errorf("signed in anew: %s", number)
	}
	w.clock.Add(refreshLife)
	if _, number := refresh(token); number != "AADSTS700082" {
		t.Errorf("after 90 days: %s", number)
	}
	token = w.signIn("ada")
	w.DeleteUser("ada")
	if kind, number := refresh(token); kind != "invalid_grant" || number != "AADSTS50034" {
		t.Errorf("deleted: %s %s", kind, number)
	}
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t, contoso())
	app, _ := w.App("Lanyard")
	form := func(id, secret, scope string) url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {scope}}
	}
	for _, c := range []struct {
		form   url.Values
		status int
		kind   string
		number float64
	}{
		{form(app.ClientID, "wrong", w.GraphScope()), 401, "invalid_client", 7000215},
		{form(app.ClientID, "", w.GraphScope()), 401, "invalid_client", 7000218},
		{form(newGUID(), "x", w.GraphScope()), 400, "unauthorized_client", 700016},
		{form(app.ClientID, app.Secret, "User.Read"), 400, "invalid_scope", 1002012},
		{form(app.ClientID, app.Secret, "api://nobody/.default"), 400, "invalid_resource", 500011},
	} {
		status, body := w.post(c.form)
		codes, _ := body["error_codes"].([]any)
		if status != c.status || body["error"] != c.kind || len(codes) != 1 || codes[0] != c.number {
			t.Errorf("%v: %d %v", c.form, status, body)
		}
	}
	status, body := w.post(form(app.ClientID, app.Secret, w.GraphScope()))
	if status != 200 || body["refresh_token"] != nil || body["id_token"] != nil {
		t.Fatalf("%d %v", status, body)
	}
	c := claims(t, body["access_token"].(string))
	if c["aud"] != GraphAppID || c["sub"] != c["oid"] || c["oid"] != app.PrincipalID || c["azp"] != app.ClientID || c["scp"] != nil {
		t.Errorf("claims %v", c)
	}
	// HTTP Basic does as well; x/oauth2 encodes both halves as RFC 6749 wants.
	config := w.lanyard()
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	verifier := oauth2.GenerateVerifier()
	back, err := SignIn(t.Context(), w.http, config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), "ken", password("ken"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Exchange(w.ctx(), back.Query().Get("code"), oauth2.VerifierOption(verifier)); err != nil {
		t.Error(err)
	}
	w.clock.Add(time.Hour)
	if status, _, _ := w.call("Lanyard", "GET", "users", nil); status != 200 {
		t.Errorf("a new token an hour later: %d", status)
	}
}
