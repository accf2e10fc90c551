package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

const strong = `@id("ledger-needs-mfa")
@step_up("mfa")
forbid (principal, action == Action::"app:call", resource)
unless { context.contexts.contains("mfa") };
`

// certificate makes a key with a certificate, and what the provider has to know of it.
func certificate(t *testing.T, l *lanyard) (credential string, public jose.JSONWebKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lanyard"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := l.write("keys/app.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	file := l.write("keys/app.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return "{certificate_file: " + cert + ", key_file: " + file + "}", jose.JSONWebKey{Key: key.Public(), Use: "sig", Algorithm: "PS256"}
}

// With a certificate for a credential (private_key_jwt), ES256, and groups in the token itself: who is asked for a stronger
// sign-in gets it from the provider as `acr`, for that one thing.
func TestStrongerSignInAtAProvider(t *testing.T) {
	t.Parallel()
	l := place(t)
	credential, public := certificate(t, l)
	p := certified(t, l, map[string]any{
		"algorithm": "ES256", "everythingInToken": true,
		"client": map[string]any{
			"client_secret": nil, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "PS256",
			"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}},
		},
	})
	l.write("policies/strong.cedar", strong)
	l.serve(p.issuer, upstream(t), credential, `  groups_claim: groups
  scopes: [openid, profile, groups, offline_access]
  prompt: consent`)
	ada := l.enter("ada")
	if role := l.role(ada); role != "developer" {
		t.Fatalf("the role is %q", role)
	}

	refused := l.ledger(ada)
	page := read(t, refused)
	link := regexp.MustCompile(`href="([^"]*)" data-testid="step-up"`).FindStringSubmatch(page)
	if refused.StatusCode != http.StatusForbidden || link == nil {
		t.Fatalf("%s %s", refused.Status, page)
	}
	if status, said := stepUp(t, l, ada, html.UnescapeString(link[1])); status != http.StatusOK || !strings.Contains(said, p.issuer) {
		t.Fatalf("%d %s", status, said)
	}
	app := l.ledger(ada)
	defer app.Body.Close()
	if said, _ := line(t, app.Body); said != p.issuer+" 0b1e-ada|1" {
		t.Errorf("%s %s", app.Status, said)
	}
	signIns, err := l.operator.SignIns(within(t), "ada")
	if err != nil || len(signIns) != 1 {
		t.Errorf("a session is another one: %+v %v", signIns, err)
	}
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var action = regexp.MustCompile(`<form method="post"(?: action="([^"]*)")?`)

// stepUp follows a link, presses the button, signs in again at the provider, and returns the first line of where that leads.
func stepUp(t *testing.T, l *lanyard, who *remote.Remote, link string) (int, string) {
	t.Helper()
	address, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := address.Query()
	resp := post(t, who, address, "/step-up", url.Values{"code": {q.Get("code")}, "return": {q.Get("return")}, "go": {"on"}})
	resp = answer(t, who, resp)
	defer resp.Body.Close()
	said, _ := line(t, resp.Body)
	return resp.StatusCode, said
}

// answer fills in the provider's page for ada, and returns where that leads.
func answer(t *testing.T, who *remote.Remote, page *http.Response) *http.Response {
	t.Helper()
	form := action.FindStringSubmatch(read(t, page))
	if form == nil || !strings.HasPrefix(page.Request.URL.Host, "idp.") {
		t.Fatalf("the provider does not ask anybody to sign in: %s at %s", page.Status, page.Request.URL)
	}
	return post(t, who, page.Request.URL, html.UnescapeString(form[1]), url.Values{"username": {"ada"}, "password": {"pw-ada"}})
}

// post sends a form of a page.
func post(t *testing.T, who *remote.Remote, from *url.URL, to string, form url.Values) *http.Response {
	t.Helper()
	u, err := from.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", from.Scheme+"://"+from.Host)
	r.Header.Set("Accept", "text/html")
	resp, err := who.Browser.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
