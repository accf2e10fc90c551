package signin_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/signin"
)

func signedBy(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAttack12TokensOfAnyProvider: an ID token of whatever provider counts only when a key that it publishes signed it, by
// an algorithm that it lists and that needs its private key, for this client, now, for the sign-in under way.
func TestAttack12TokensOfAnyProvider(t *testing.T) {
	p := newIDP(t)
	l := newParty(t, p, nil)
	with := func(changes map[string]any) func(map[string]any) string {
		return func(claims map[string]any) string {
			maps.Copy(claims, changes)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			return p.good(t)(claims)
		}
	}
	e := base64.RawURLEncoding.EncodeToString
	unsigned := func(header string) func(map[string]any) string {
		return func(claims map[string]any) string {
			payload, _ := json.Marshal(claims)
			return e([]byte(header)) + "." + e(payload) + "."
		}
	}
	public, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("another access token"))
	now := time.Now()
	for name, idToken := range map[string]func(map[string]any) string{
		"none":                       unsigned(`{"alg":"none","kid":"k"}`),
		"NONE":                       unsigned(`{"alg":"NONE","kid":"k"}`),
		"empty signature":            unsigned(`{"alg":"RS256","kid":"k"}`),
		"HMAC with the public key":   func(c map[string]any) string { return signedBy(t, jose.HS256, public, "k", c) },
		"HMAC with our own secret":   func(c map[string]any) string { return signedBy(t, jose.HS256, []byte(idpSecret), "k", c) },
		"another key":                func(c map[string]any) string { return signedBy(t, jose.RS256, p.foreign, "k", c) },
		"another key's name":         func(c map[string]any) string { return signedBy(t, jose.RS256, p.key, "e", c) },
		"an algorithm not listed":    func(c map[string]any) string { return signedBy(t, jose.PS256, p.key, "k", c) },
		"no token":                   func(map[string]any) string { return "" },
		"no JWT":                     func(map[string]any) string { return "a.b" },
		"changed":                    func(c map[string]any) string { return changed(t, p.good(t)(c), c, "sub", bob) },
		"changed, with sources":      func(c map[string]any) string { return changed(t, p.good(t)(c), c, "_claim_names", map[string]string{}) },
		"another issuer":             with(map[string]any{"iss": "https://idp.example.test"}),
		"the issuer with a slash":    with(map[string]any{"iss": p.issuer + "/"}),
		"no issuer":                  with(map[string]any{"iss": nil}),
		"another application":        with(map[string]any{"aud": "another"}),
		"no audience":                with(map[string]any{"aud": nil}),
		"ours among others":          with(map[string]any{"aud": []string{"another", idpClient}}),
		"for another party":          with(map[string]any{"aud": []string{"another", idpClient}, "azp": "another"}),
		"alone, for another party":   with(map[string]any{"azp": "another"}),
		"expired":                    with(map[string]any{"exp": now.Add(-time.Minute).Unix()}),
		"never expires":              with(map[string]any{"exp": nil}),
		"not before an hour":         with(map[string]any{"nbf": now.Add(time.Hour).Unix()}),
		"issued in an hour":          with(map[string]any{"iat": now.Add(time.Hour).Unix(), "exp": now.Add(2 * time.Hour).Unix()}),
		"never issued":               with(map[string]any{"iat": nil}),
		"another nonce":              with(map[string]any{"nonce": "of another sign-in"}),
		"no nonce":                   with(map[string]any{"nonce": nil}),
		"another access token":       with(map[string]any{"at_hash": e(hash[:16])}),
		"no subject":                 with(map[string]any{"sub": nil}),
		"a subject with a new line":  with(map[string]any{"sub": "auth|ada\n"}),
		"a subject that looks alike": with(map[string]any{"sub": "аuth|ada"}), // its first letter is Cyrillic
		"a subject that is long":     with(map[string]any{"sub": strings.Repeat("a", 256)}),
		"groups elsewhere": with(map[string]any{"groups": nil, "_claim_names": map[string]string{"groups": "s"},
			"_claim_sources": map[string]any{"s": map[string]string{"endpoint": p.issuer + "/groups"}}}),
	} {
		p.setUp(func() { p.idToken = idToken })
		if status, body, who := l.signIn(); status != http.StatusForbidden || len(who) != 0 {
			t.Errorf("%s: %d, %v\n%s", name, status, who, body)
		}
	}
	for name, idToken := range map[string]func(map[string]any) string{
		"good": with(nil), "ours among others, for us": with(map[string]any{"aud": []string{"another", idpClient}, "azp": idpClient}),
		"good, with ES256": func(c map[string]any) string { return signedBy(t, jose.ES256, p.curve, "e", c) },
	} {
		p.setUp(func() { p.idToken = idToken })
		if status, body, who := l.signIn(); status != http.StatusSeeOther || len(who) == 0 || who[0] != ada {
			t.Errorf("%s: %d, %v\n%s", name, status, who, body)
		}
	}
}

// changed is a signed token whose claims are others.
func changed(t *testing.T, raw string, claims map[string]any, name string, value any) string {
	t.Helper()
	claims[name] = value
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
}

// TestAttack16AddressesAreNotKeys (nOAuth): who gives themselves somebody's address or name at the provider, verified or
// not, in the token or in UserInfo, stays who they are, with their own groups.
func TestAttack16AddressesAreNotKeys(t *testing.T) {
	p := newIDP(t)
	l := newParty(t, p, nil)
	p.userinfo = func() map[string]any {
		return map[string]any{"sub": bob, "email": "ada@contoso.example", "preferred_username": ada, "groups": []string{"everybody"}, "oid": ada, "tid": p.issuer}
	}
	p.idToken = func(claims map[string]any) string {
		delete(claims, "groups")
		maps.Copy(claims, map[string]any{"sub": bob, "email": "ada@contoso.example", "email_verified": true, "upn": ada, "oid": ada, "tid": p.issuer, "roles": []string{"engineers"}})
		return p.good(t)(claims)
	}
	status, body, who := l.signIn()
	seen := l.last()
	if status != http.StatusSeeOther || len(who) != 1 || who[0] != bob || seen.User.Object != bob || strings.Join(seen.Groups, " ") != "everybody" || len(seen.Roles) != 0 {
		t.Errorf("who has ada's address is %v with %+v: %d %s", who, seen, status, body)
	}
	p.setUp(func() {
		p.userinfo = func() map[string]any { return map[string]any{"sub": ada, "groups": []string{"engineers"}} }
	})
	if status, body, who := l.signIn(); status != http.StatusForbidden || len(who) != 1 {
		t.Errorf("UserInfo about somebody else: %d %s %v", status, body, who)
	}
}

// TestAttack17MixUpOfProviders: an answer of one provider is never taken for another's, and no code is redeemed where it
// was not given: each issuer has its own address to come back to, an answer that names another issuer is refused, so is
// one without a name from a provider that gives it, and a sign-in is finished only at whom it was begun.
func TestAttack17MixUpOfProviders(t *testing.T) {
	honest, attacker := newIDP(t), newIDP(t)
	atHonest := newParty(t, honest, nil)
	atAttacker := newParty(t, attacker, atHonest)
	if a, b := atHonest.tenant.RedirectPath(), atAttacker.tenant.RedirectPath(); a == b || a == signin.RedirectPath {
		t.Fatalf("two issuers come back to %s and %s", a, b)
	}
	refused := func(what string, l *party, b *browser, state string, more url.Values) {
		t.Helper()
		before := honest.redeemed() + attacker.redeemed()
		status, body := l.answer(b, state, more)
		if status == http.StatusSeeOther || status == http.StatusOK || honest.redeemed()+attacker.redeemed() != before {
			t.Errorf("%s: %d %s", what, status, body)
		}
		for row := range l.sessions.Set().All {
			t.Errorf("%s: %s is in", what, row.User)
		}
	}
	b := newBrowser(t)
	state := func(l *party) string { return l.begin(b).Get("state") }
	refused("an answer that names another issuer", atHonest, b, state(atHonest), url.Values{"iss": {attacker.issuer}})
	refused("an answer that names none", atHonest, b, state(atHonest), url.Values{"iss": {""}})
	refused("an error that names another issuer", atHonest, b, state(atHonest), url.Values{"iss": {attacker.issuer}, "error": {"access_denied"}})

	// Both were begun in one browser, before and after the configuration was changed.
	begun := state(atAttacker)
	cookies := b.cookies[strings.TrimPrefix(atAttacker.url, "http://")]
	maps.Copy(b.cookies[strings.TrimPrefix(atHonest.url, "http://")], cookies)
	refused("a sign-in that was begun at another issuer", atHonest, b, begun, nil)
	if status, _, _ := b.send(http.MethodGet, atHonest.url+atAttacker.tenant.RedirectPath()+"?code=c&state="+state(atHonest), nil); status != http.StatusNotFound {
		t.Errorf("the other issuer's address answers %d", status)
	}

	honest.document["authorization_response_iss_parameter_supported"] = true
	names := newParty(t, honest, atHonest)
	b = newBrowser(t)
	refused("no name, from who gives it", names, b, state(names), nil)
	if status, body := names.answer(b, state(names), url.Values{"iss": {honest.issuer}}); status != http.StatusSeeOther {
		t.Errorf("the right name: %d %s", status, body)
	}
}

// TestAttack25DiscoveryLeadsNowhereElse: a discovery document whose addresses are no addresses, or lead from https to
// http, signs nobody in; neither does one of another issuer.
func TestAttack25DiscoveryLeadsNowhereElse(t *testing.T) {
	first := newParty(t, newIDP(t), nil)
	for name, document := range map[string]map[string]any{
		"another issuer":        {"issuer": "https://idp.example.test"},
		"a script":              {"authorization_endpoint": "javascript:alert(1)"},
		"a file":                {"token_endpoint": "file:///etc/passwd"},
		"no keys":               {"jwks_uri": ""},
		"a password":            {"userinfo_endpoint": "https://ada:secret@idp.example.test/"},
		"a fragment":            {"authorization_endpoint": "https://idp.example.test/#"},
		"signing out elsewhere": {"end_session_endpoint": "//idp.example.test/out#x"},
	} {
		p := newIDP(t)
		maps.Copy(p.document, document)
		l := newParty(t, p, first)
		if status, body, next := newBrowser(t).send(http.MethodGet, l.url+"/login", nil); status != http.StatusServiceUnavailable || next != nil {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}
