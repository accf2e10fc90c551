package provision_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// form posts to the token endpoint.
func (w *world) form(values url.Values, header ...string) answer {
	w.t.Helper()
	return w.do("POST", provision.TokenPath, values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", ""}, header...)...)
}

const anyUser = "/scim/v2/Users?count=0"

func (w *world) with(secret string) int {
	w.t.Helper()
	return w.do("GET", anyUser, nil, "Authorization", "Bearer "+secret).status
}

func TestCredentials(t *testing.T) { onBoth(t, credentials) }

// credentials are made, used beside each other, expire and are revoked, at every replica.
func credentials(t *testing.T, db storetest.Database) {
	ctx := t.Context()
	now := time.Now()
	w := newWorld(t, db, func(c *provision.Config) { c.Now = func() time.Time { return now } })
	other, _ := w.serve(db.Open(t, "two"), w.directory)
	second, secret, err := w.service.CreateCredential(ctx, provision.NewCredential{Name: "second", Kind: provision.Bearer, Expires: now.Add(time.Hour), By: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	if w.with(w.secret) != 200 || w.with(secret) != 200 {
		t.Error("two secrets are not active at once")
	}
	if list, uses := w.service.Credentials(); len(list) != 2 || uses[second.ID].IP != "127.0.0.1" || !uses[second.ID].At.Equal(now) {
		t.Errorf("%+v %+v", list, uses)
	}
	raw := w.db.Raw(t)
	rows, err := raw.QueryContext(ctx, `SELECT hash FROM scim_credentials`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil || len(hash) != 32 || bytes.Contains([]byte(secret), hash) {
			t.Errorf("stored: %x %v", hash, err)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if w.with(w.secret) != 200 || w.with(secret) != 401 {
		t.Error("expiry is not kept")
	}
	if _, err := w.service.RevokeCredential(ctx, "entra", "operator"); err != nil {
		t.Fatal(err)
	}
	entries, err := w.store.FeedAfter(ctx, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := other.Follow(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := other.Credentials(); len(list) != 2 || list[0].Revoked.IsZero() == list[1].Revoked.IsZero() {
		t.Errorf("the other replica knows %+v", list)
	}
	if w.with(w.secret) != 401 {
		t.Error("revoked and taken")
	}
	for _, bad := range []provision.NewCredential{{Kind: provision.Bearer}, {Name: "x", Kind: "else"}, {Name: "x", Kind: provision.Client, Expires: now}, {Name: "a\nb", Kind: provision.Client}} {
		if _, _, err := w.service.CreateCredential(ctx, bad); err == nil {
			t.Errorf("made: %+v", bad)
		}
	}
}

// A client secret is exchanged for tokens, which end with it.
func TestClientCredentials(t *testing.T) {
	now := time.Now()
	w := newWorld(t, storetest.SQLite(t), func(c *provision.Config) { c.Now = func() time.Time { return now } })
	client, secret, err := w.service.CreateCredential(t.Context(), provision.NewCredential{Name: "gallery", Kind: provision.Client, By: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	asked := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ID}, "client_secret": {secret}, "scope": {"scim.readwrite"}}
	a := w.form(asked)
	if a.status != 200 || a.body["token_type"] != "Bearer" || a.body["expires_in"] != 3600.0 || a.body["scope"] != "scim.readwrite" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", a.status, a.header, a.text)
	}
	token := text(a.body, "access_token")
	if w.with(token) != 200 || w.with(secret) != 401 || w.with(token+"0") != 401 || w.with(strings.ToUpper(token)) != 401 {
		t.Error("the token is not what opens SCIM, or the client secret does")
	}
	delete(asked, "client_id")
	delete(asked, "client_secret")
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(client.ID, secret)
	if a := w.form(asked, "Authorization", r.Header.Get("Authorization")); a.status != 200 {
		t.Error(a.text)
	}
	for name, change := range map[string]func(url.Values){
		"unsupported_grant_type": func(v url.Values) { v.Set("grant_type", "password") },
		"invalid_client":         func(v url.Values) { v.Set("client_secret", secret+"x") },
		"invalid_request":        func(v url.Values) { v.Add("client_id", "another") },
	} {
		v := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ID}, "client_secret": {secret}}
		if change(v); w.form(v).body["error"] != name {
			t.Errorf("%s: %s", name, w.form(v).text)
		}
	}
	if a := w.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {"entra"}, "client_secret": {w.secret}}); a.status != 401 {
		t.Errorf("a bearer secret is exchanged: %s", a.text)
	}
	now = now.Add(time.Hour)
	if w.with(token) != 401 {
		t.Error("the token does not expire")
	}
	now = now.Add(-time.Minute * 30)
	if _, err := w.service.RevokeCredential(t.Context(), client.ID, "operator"); err != nil {
		t.Fatal(err)
	}
	if w.with(token) != 401 {
		t.Error("the token lives longer than its secret")
	}
}

// keySet is a tenant's keys.
type keySet []jose.JSONWebKey

func (k keySet) Find(_ context.Context, id string) (jose.JSONWebKey, error) {
	for _, key := range k {
		if key.KeyID == id {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, errors.New("no such key")
}

func fixture[T any](t *testing.T, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", id))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAttack34 lets the assertion that Microsoft's page shows be exchanged, and nothing that differs from it in what
// counts: tenant, issuer, audience, subject, times, signature, algorithm.
func TestAttack34AssertionsOfAnotherTenantOrApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := fixture[map[string]any](t, "scim-wif-assertion.claims.json")
	exchange := fixture[struct {
		Request  struct{ Form map[string]string }
		Response struct{ Body map[string]any }
	}](t, "wif-token-exchange.json")
	of := func(name string) string { s, _ := claims[name].(string); return s }
	now := time.Unix(int64(claims["iat"].(float64)), 0).Add(time.Minute)
	w := newWorld(t, storetest.SQLite(t), func(c *provision.Config) {
		c.Now = func() time.Time { return now }
		c.Assertion = provision.Assertion{Issuer: of("iss"), Tenant: identity.TenantID(of("tid")), Audiences: []string{of("aud")}, Subjects: []string{of("sub")},
			Keys: keySet{{Key: key.Public(), KeyID: "k1"}}}
	})
	ask := func(assertion string) answer {
		v := url.Values{}
		for name, value := range exchange.Request.Form {
			v.Set(name, value)
		}
		v.Set("client_assertion", assertion)
		return w.form(v)
	}
	good := func(aud any) answer {
		c := maps.Clone(claims)
		c["aud"] = aud
		return ask(sign(t, jose.RS256, key, "k1", c))
	}
	a := good(claims["aud"])
	for name, want := range exchange.Response.Body {
		if name != "access_token" && a.body[name] != want {
			t.Errorf("%s: %v, want %v", name, a.body[name], want)
		}
	}
	if w.with(text(a.body, "access_token")) != 200 {
		t.Fatalf("the token opens nothing: %s", a.text)
	}
	app := strings.TrimPrefix(of("aud"), "api://")
	for _, aud := range []any{app, of("aud") + "/.default", []string{app}} { // as Microsoft's pages and captured tokens have it
		if a := good(aud); a.status != 200 {
			t.Errorf("aud %v: %s", aud, a.text)
		}
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		c := maps.Clone(claims)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return sign(t, jose.RS256, key, "k1", c)
	}
	unsigned := strings.Split(with("ver", "2.0"), ".")
	for name, assertion := range map[string]string{
		"another tenant's iss":   with("iss", "https://login.microsoftonline.com/99999999-9999-9999-9999-999999999999/v2.0"),
		"a v1 iss":               with("iss", "https://sts.windows.net/"+of("tid")+"/"),
		"another tid":            with("tid", "99999999-9999-9999-9999-999999999999"),
		"no tid":                 with("tid", nil),
		"another aud":            with("aud", "api://99999999-9999-9999-9999-999999999999"),
		"no aud":                 with("aud", nil),
		"another sub":            with("sub", of("oid")),
		"expired":                with("exp", now.Add(-5*time.Minute).Unix()),
		"not yet valid":          with("nbf", now.Add(5*time.Minute).Unix()),
		"for ever":               with("exp", nil),
		"for years":              with("exp", now.AddDate(3, 0, 0).Unix()),
		"another's key":          sign(t, jose.RS256, stranger, "k1", claims),
		"an unknown key":         sign(t, jose.RS256, stranger, "k2", claims),
		"another type of key":    sign(t, jose.ES256, curve, "k1", claims),
		"HMAC by the public key": sign(t, jose.HS256, public, "k1", claims),
		"without signature":      unsigned[0] + "." + unsigned[1] + ".",
		"alg none":               "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + unsigned[1] + ".",
		"nothing":                "x",
		"too large":              strings.Repeat("x", 20<<10),
	} {
		if a := ask(assertion); a.status != 401 || a.body["error"] != "invalid_client" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	ask(with("sub", "the real one"))
	ask(sign(t, jose.RS256, stranger, "k1", map[string]any{"sub": "made up"}))
	if f := w.findings(); !strings.Contains(f, `sub "the real one"`) || !strings.Contains(f, "The tenant signed it") {
		t.Errorf("doctor does not say what was received: %s", f)
	}
}

// TestAttack10 shows every kind of credential where it is not for: what opens SCIM opens nothing else, and nothing else
// opens SCIM.
func TestAttack10NoOtherCredentialOpensSCIM(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for name, header := range map[string][]string{
		"none":            {"Authorization", ""},
		"an empty one":    {"Authorization", "Bearer "},
		"basic":           {"Authorization", "Basic " + w.secret},
		"DPoP":            {"Authorization", "DPoP " + w.secret},
		"the secret's ID": {"Authorization", "Bearer " + w.secret[:30]},
		"another secret":  {"Authorization", "Bearer " + w.secret[:20] + strings.Repeat("x", len(w.secret)-20)},
		"a JWT":           {"Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."},
		"a token of ours": {"Authorization", "Bearer lanyard_scimt_e30.00"},
		"a huge one":      {"Authorization", "Bearer " + strings.Repeat("x", 9000)},
		"in the query":    {"Authorization", "", "X", "y"},
	} {
		path := anyUser
		if name == "in the query" {
			path += "&access_token=" + url.QueryEscape(w.secret)
		}
		a := w.do("GET", path, nil, header...)
		if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") || a.body["status"] != "401" || strings.Contains(a.text, w.secret[14:]) {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.text)
		}
	}
	for _, path := range []string{"/scim/v2/ServiceProviderConfig", "/scim/v2/Schemas", "/scim/v2/Me", "/scim/v2/Nothing", "/scim/", "/scim/v1"} {
		if a := w.do("GET", path, nil, "Authorization", ""); a.status != 401 {
			t.Errorf("%s answers strangers: %s", path, a.text)
		}
	}
	if a := w.do("GET", anyUser, nil, "Cookie", "a=b"); a.status != 403 {
		t.Errorf("a browser is answered: %s", a.text)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 || w.events[0].Action != provision.EventRefused || w.events[0].IP != "127.0.0.1" {
		t.Errorf("refusals are not audited: %+v", w.events)
	}
	for _, e := range w.events {
		if strings.Contains(e.String(), w.secret[20:]) {
			t.Errorf("the log holds a secret: %s", e)
		}
	}
}

// Who guesses is answered with 429 and no more written down; who has a credential is not held up by that.
func TestFailedAttemptsAreLimited(t *testing.T) {
	left := 3
	w := newWorld(t, storetest.SQLite(t), func(c *provision.Config) {
		c.Allow = func(string, time.Time) bool { left--; return left >= 0 }
	})
	for i := range 6 {
		if status, want := w.with("guess"), map[bool]int{true: 401, false: 429}[i < 3]; status != want {
			t.Errorf("attempt %d: %d, want %d", i, status, want)
		}
	}
	if w.with(w.secret) != 200 {
		t.Error("the valid secret is refused")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) != 3 {
		t.Errorf("%d events", len(w.events))
	}
}

// TestAttack19 tries to become somebody by an externalId, and to reach what is another kind of thing by its ID.
func TestAttack19ExternalIDIsOpaque(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), members)
	w.graph(people(ada, bo, "1"))
	for i, external := range []string{"1", "u-" + ada, tenant + "/" + ada, " " + ada, ada + "\n", "{" + ada + "}", "ADA@contoso.example"} {
		id := w.user(string(rune('a'+i)), external)
		if a := w.want(200, "GET", "/scim/v2/Users/"+id, nil); a.body["externalId"] != external {
			t.Errorf("externalId %q came back as %v", external, a.body["externalId"])
		}
		w.want(200, "PATCH", "/scim/v2/Users/"+id, setActive(false))
		if !w.active(ada) || !w.active(bo) || !w.active("1") {
			t.Fatalf("externalId %q disabled somebody", external)
		}
		w.want(404, "GET", "/scim/v2/Users/"+url.PathEscape(external), nil)
		w.want(404, "GET", "/scim/v2/Groups/"+id, nil)
	}
	user := w.user("ada", ada)
	w.want(404, "DELETE", "/scim/v2/Groups/"+user, nil)
	w.want(404, "PATCH", "/scim/v2/Users/"+ada, setActive(false))
	if a := w.do("POST", "/scim/v2/Users", object{"id": user, "userName": "other", "externalId": bo}); a.id() == user {
		t.Error("a client chose an id")
	}
	if !w.active(ada) {
		t.Error("Ada was disabled")
	}
}
