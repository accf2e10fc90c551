package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

// The whole way of the CLI: a code, tokens bound to its key, the API, the next tokens, and the end.
func TestCodeToRevocation(t *testing.T) {
	w := newWorld(t)
	p := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, url.Values{"device_name": {"ada's laptop"}})
	first := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	if first.Status != http.StatusOK || first.Type != "DPoP" || first.Expires != 600 || first.Refresh == "" || first.ID == "" {
		t.Fatalf("%+v", first)
	}
	if me := p.me(first.Access, nil); me.Status != http.StatusOK || me.Text != ada.Object {
		t.Fatalf("the API: %+v", me)
	}
	next := p.post(issuer.TokenPath, byRefresh(first.Refresh))
	if next.Status != http.StatusOK || next.Refresh == first.Refresh || next.Access == first.Access {
		t.Fatalf("refreshed: %+v", next)
	}
	if me := p.me(next.Access, nil); me.Status != http.StatusOK {
		t.Errorf("the API with the next token: %+v", me)
	}
	if ended := p.post(issuer.RevocationPath, url.Values{"token": {next.Refresh}}); ended.Status != http.StatusOK {
		t.Errorf("revoked: %+v", ended)
	}
	for what, a := range map[string]answer{"the API": p.me(next.Access, nil), "refreshing": p.post(issuer.TokenPath, byRefresh(next.Refresh))} {
		if a.Status < 400 {
			t.Errorf("%s after the end: %+v", what, a)
		}
	}
	found := false
	for _, row := range w.sessions.Set().SignInsOf(ada) {
		for _, s := range w.sessions.Set().Below(row.ID) {
			found = found || s.Client == issuer.CLI && s.Device == "ada's laptop"
		}
	}
	if !found {
		t.Error("the session does not say where it is")
	}
}

// A confidential client learns who somebody is, and its token opens nothing of Lanyard's.
func TestAnotherPartysClient(t *testing.T) {
	w := newWorld(t)
	p := &program{w: w, id: portal, secret: portalSecret}
	code, verifier := w.code(portal, portalBack, url.Values{"nonce": {"n-1"}})
	got := p.post(issuer.TokenPath, byCode(code, verifier, portalBack))
	if got.Status != http.StatusOK || got.Type != "Bearer" || got.ID == "" {
		t.Fatalf("%+v", got)
	}
	var claims struct {
		Nonce, Aud, Sub, Oid, Name string
	}
	part, err := base64.RawURLEncoding.DecodeString(strings.Split(got.ID, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(part, &claims); err != nil || claims.Nonce != "n-1" || claims.Aud != portal || claims.Sub != "u-"+ada.Object || claims.Name != "Ada Lovelace" {
		t.Errorf("%+v %v", claims, err)
	}
	info := func(scheme string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+issuer.UserInfoPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", scheme+" "+got.Access)
		return w.answered(r)
	}
	if a := info("Bearer"); a.Status != http.StatusOK || !strings.Contains(a.Text, ada.Object) {
		t.Errorf("userinfo: %+v", a)
	}
	if a := info("DPoP"); a.Status != http.StatusUnauthorized {
		t.Errorf("an unbound token shown as a bound one: %+v", a)
	}
	thief := w.program(portal)
	if a := thief.me(got.Access, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("Lanyard's API: %+v", a)
	}
	seen := p.post(issuer.IntrospectionPath, url.Values{"token": {got.Access}})
	if !seen.Active {
		t.Errorf("introspection: %+v", seen)
	}
	w.engine.Publish(func(f access.Facts) access.Facts { f.Directory = people(false); return f }, access.Touched{Users: []identity.UserID{ada}})
	if seen := p.post(issuer.IntrospectionPath, url.Values{"token": {got.Access}}); seen.Active || seen.Status != http.StatusOK {
		t.Errorf("introspection of who is disabled: %+v", seen)
	}
}

// A device without a browser waits until the person has typed its code elsewhere.
func TestDevice(t *testing.T) {
	for _, yes := range []bool{true, false} {
		w := newWorld(t)
		p := w.program(issuer.CLI)
		asked := p.post(issuer.DeviceAuthPath, url.Values{"device_name": {"a server"}})
		if asked.Status != http.StatusOK || len(asked.User) != 9 {
			t.Fatalf("%+v", asked)
		}
		poll := func() answer {
			w.later(5 * time.Second)
			return p.post(issuer.TokenPath, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.Device}})
		}
		if a := poll(); a.Error != "authorization_pending" {
			t.Errorf("before: %+v", a)
		}
		if a := p.post(issuer.TokenPath, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.Device}}); a.Error != "slow_down" {
			t.Errorf("at once again: %+v", a)
		}
		typed := strings.ToLower(strings.ReplaceAll(asked.User, "-", " "))
		if _, body := w.browse(issuer.DevicePath+"?"+url.Values{"user_code": {typed}}.Encode(), nil); strings.Contains(body, "a server") {
			t.Errorf("a link brings a code: %s", body)
		}
		if _, body := w.browse(issuer.DevicePath, url.Values{"user_code": {typed}}); !strings.Contains(body, "a server") {
			t.Errorf("the page: %s", body)
		}
		if _, body := w.browse(issuer.DevicePath, url.Values{"user_code": {"BBBB-BBBB"}}); !strings.Contains(body, `"Wrong":true`) {
			t.Errorf("a wrong code: %s", body)
		}
		said := "no"
		if yes {
			said = "on"
		}
		if resp, body := w.browse(issuer.DevicePath, url.Values{"user_code": {typed}, "go": {said}}); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", said, resp.StatusCode, body)
		}
		if resp, _ := w.browse(issuer.DevicePath, url.Values{"user_code": {typed}, "go": {"on"}}); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a code is typed twice: %d", resp.StatusCode)
		}
		got := poll()
		if yes && (got.Status != http.StatusOK || p.me(got.Access, nil).Status != http.StatusOK) || !yes && got.Error != "access_denied" {
			t.Errorf("%s: %+v", said, got)
		}
		if a := poll(); a.Status < 400 {
			t.Errorf("a device code is used twice: %+v", a)
		}
	}
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{issuer.DiscoveryPath, issuer.MetadataPath} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := w.answered(r)
		var d map[string]any
		if err := json.Unmarshal([]byte(a.Text), &d); err != nil || d["issuer"] != w.url || d["token_endpoint"] != w.url+issuer.TokenPath {
			t.Errorf("%s: %+v %v", path, a, err)
		}
	}
}

// Nobody signed in, or not lately enough: the sign-in comes first, and leads back.
func TestAuthorizeLeadsToTheSignIn(t *testing.T) {
	w := newWorld(t)
	_, s256 := challenge()
	q := url.Values{"client_id": {portal}, "redirect_uri": {portalBack}, "response_type": {"code"}, "code_challenge": {s256}, "code_challenge_method": {"S256"}}
	old := w.cookie
	w.cookie = ""
	resp, _ := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil)
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Path != "/login" || !strings.HasPrefix(to.Query().Get("return"), issuer.AuthorizePath+"?") {
		t.Errorf("%d %s", resp.StatusCode, to)
	}
	q.Set("prompt", "none")
	if resp, _ := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil); !strings.Contains(resp.Header.Get("Location"), "error=login_required") {
		t.Errorf("prompt=none: %s", resp.Header.Get("Location"))
	}
	w.cookie = old
	q.Del("prompt")
	q.Set("max_age", "60")
	w.later(2 * time.Minute)
	if resp, _ := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil); !strings.HasPrefix(resp.Header.Get("Location"), "/login?") {
		t.Errorf("max_age: %s", resp.Header.Get("Location"))
	}
}
