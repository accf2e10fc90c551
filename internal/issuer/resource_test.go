package issuer_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/issuer"
)

const (
	storageAud = "https://storage.example.test"
	desk       = "desk"
	deskSecret = "a-secret-of-the-desk"
)

// A client that names a resource gets its access token for that (RFC 8707), and its person saw on the page that it may.
func TestResourceIndicators(t *testing.T) {
	w, _ := exchanging(t)
	p := &program{w: w, id: desk, secret: deskSecret}
	wants := url.Values{"resource": {storageAud}}
	_, s256 := challenge()
	_, body := w.browse(issuer.AuthorizePath+"?"+url.Values{"client_id": {desk}, "redirect_uri": {portalBack}, "response_type": {"code"}, "resource": {storageAud},
		"code_challenge": {s256}, "code_challenge_method": {"S256"}}.Encode(), nil)
	var page issuer.Page
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(page.For, []string{"storage (" + storageAud + ")"}) {
		t.Errorf("the page says: %+v", page)
	}
	with := func(form, more url.Values) url.Values {
		for k, v := range more {
			form[k] = v
		}
		return form
	}
	code, verifier := w.code(desk, portalBack, wants)
	first := p.post(issuer.TokenPath, with(byCode(code, verifier, portalBack), wants))
	if first.Status != http.StatusOK {
		t.Fatalf("%+v", first)
	}
	_, claims := claimsOf(t, w, first.Access, jose.ES256)
	if act, _ := claims["act"].(map[string]any); claims["aud"] != storageAud || act["sub"] != issuer.ClientSubject(desk) {
		t.Errorf("%v", claims)
	}
	next := p.post(issuer.TokenPath, byRefresh(first.Refresh))
	if _, claims := claimsOf(t, w, next.Access, jose.ES256); claims["aud"] != w.url+issuer.UserInfoPath {
		t.Errorf("without a resource: %v", claims)
	}
	w.member(false)
	if a := p.post(issuer.TokenPath, with(byRefresh(next.Refresh), wants)); a.Error != "invalid_target" {
		t.Errorf("after the role was taken away: %+v", a)
	}
	w.member(true)
	again := p.post(issuer.TokenPath, with(byRefresh(next.Refresh), wants))
	if again.Status != http.StatusOK {
		t.Errorf("what was refused has spent nothing: %+v", again)
	}
	for name, resources := range map[string][]string{
		"what it may not": {"https://payroll.example.test"}, "Lanyard": {w.url}, "two": {storageAud, w.url + issuer.UserInfoPath}, "a name": {"storage"},
	} {
		if a := p.post(issuer.TokenPath, with(byRefresh(again.Refresh), url.Values{"resource": resources})); a.Error != "invalid_target" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
