package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// recorded is an exchange of the real token service with a client of Microsoft's.
type recorded struct {
	Request struct {
		Method, URL string
		Form        map[string]string
	}
	Response struct {
		Status  int
		Headers [][2]string
		Body    map[string]any
	}
}

// TestTrafficIsAsRecorded asks what @azure/identity asked of Entra when it was recorded, and compares status, headers and
// body field by field.
func TestTrafficIsAsRecorded(t *testing.T) {
	w := newWorld(t, contoso())
	app, _ := w.App("Directory tools")
	for _, e := range fixture[struct{ Exchanges []recorded }](t, "recorded-traffic.json").Exchanges {
		to, err := url.Parse(strings.ReplaceAll(e.Request.URL, "12345678-1234-1234-1234-123456789012", w.TenantID()))
		if err != nil {
			t.Fatal(err)
		}
		at, form := w.url+to.Path, url.Values{}
		if strings.HasSuffix(to.Path, "/discovery/instance") {
			at += "?" + url.Values{"api-version": {"1.1"}, "authorization_endpoint": {w.url + "/" + w.TenantID() + "/oauth2/v2.0/authorize"}}.Encode()
		}
		for name, value := range e.Request.Form {
			form.Set(name, value)
		}
		if form.Has("client_id") { // what the recorder replaced
			form.Set("client_id", app.ClientID)
			form.Set("client_secret", app.Secret)
			form.Set("scope", w.GraphScope())
		}
		req, err := http.NewRequestWithContext(t.Context(), e.Request.Method, at, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := decodeBody(t, answer)
		if answer.StatusCode != e.Response.Status {
			t.Errorf("%s: %s", to.Path, answer.Status)
		}
		same(t, to.Path, e.Response.Body, body, nil)
		same(t, "what was recorded of "+to.Path, body, e.Response.Body, nil) // and nothing more
		for _, name := range []string{"expires_in", "ext_expires_in", "token_type"} {
			if body[name] != e.Response.Body[name] {
				t.Errorf("%s is %v, recorded %v", name, body[name], e.Response.Body[name])
			}
		}
		for _, h := range e.Response.Headers {
			got := answer.Header.Get(h[0])
			named := slices.Contains([]string{"x-ms-request-id", "x-ms-ests-server"}, h[0]) // whose value is each one's own
			if h[0] != "Strict-Transport-Security" && (got == "" || got != h[1] && !named) {
				t.Errorf("%s: the header %s is %q, recorded %q", to.Path, h[0], got, h[1])
			}
		}
	}
}

// TestAppTokenIsAsCaptured compares an app's token with the claims of one that Entra issued in July 2026, as a SCIM server
// published them (pranems/SCIMServer): header, names, and what stands in a relation to one another.
func TestAppTokenIsAsCaptured(t *testing.T) {
	w := newWorld(t, contoso())
	c := claims(t, w.appTokenFor("Lanyard", "api://"+ContosoGitAppID+"/.default"))
	captured := []string{"aio", "aud", "azp", "azpacr", "exp", "iat", "iss", "nbf", "oid", "rh", "sub", "tid", "uti", "ver", "xms_ftd"}
	for _, name := range captured {
		if c[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range c {
		if !slices.Contains(captured, name) {
			t.Errorf("%s was not there", name)
		}
	}
	if c["aud"] != ContosoGitAppID || c["sub"] != c["oid"] || c["azpacr"] != "1" || c["ver"] != "2.0" || c["nbf"] != c["iat"] ||
		c["exp"].(float64)-c["iat"].(float64) != 3900 || !strings.HasPrefix(c["rh"].(string), "1.") {
		t.Errorf("the token says %v", c)
	}
}

// TestErrorURILeadsSomewhere: the address that a refusal names explains its number.
func TestErrorURILeadsSomewhere(t *testing.T) {
	w := newWorld(t, contoso())
	_, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}})
	answer, err := w.http.Get(body["error_uri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(page), "AADSTS70000") {
		t.Errorf("%s: %s %s %v", body["error_uri"], answer.Status, page, err)
	}
}
