package issuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

// part is a part of a compact JWS.
func part(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// forged are copies of a token whose header says something else, each signed by whoever made it as the header says.
func forged(t *testing.T, w *world, raw string) map[string]string {
	t.Helper()
	parts := strings.Split(raw, ".")
	var header map[string]any
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(changes map[string]any) string {
		changed := map[string]any{}
		for k, v := range header {
			changed[k] = v
		}
		for k, v := range changes {
			if changed[k] = v; v == nil {
				delete(changed, k)
			}
		}
		return part(t, changed) + "." + parts[1]
	}
	signed := func(input string) string {
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, own, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	var public []byte // the key that everybody knows, taken as a secret
	for _, key := range w.keys.JWKS().Keys {
		if key.KeyID == header["kid"] {
			if public, err = x509.MarshalPKIXPublicKey(key.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	symmetric := func(input string) string {
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	jwk := jose.JSONWebKey{Key: own.Public(), Algorithm: "ES256"}
	keys := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		t.Error("the server fetched a key that a token named")
		_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}})
	}))
	t.Cleanup(keys.Close)
	return map[string]string{
		"alg none":                   with(map[string]any{"alg": "none"}) + ".",
		"alg NONE, signature kept":   with(map[string]any{"alg": "NONE"}) + "." + parts[2],
		"HS256 by the public key":    symmetric(with(map[string]any{"alg": "HS256"})),
		"RS256 named over ES256":     with(map[string]any{"alg": "RS256"}) + "." + parts[2],
		"an own key, their kid":      signed(with(nil)),
		"no kid":                     signed(with(map[string]any{"kid": nil})),
		"a kid that is a path":       signed(with(map[string]any{"kid": "../../../../dev/null"})),
		"a kid that is a query":      signed(with(map[string]any{"kid": "x' OR '1'='1"})),
		"a kid that is an address":   signed(with(map[string]any{"kid": keys.URL})),
		"a key in the header":        signed(with(map[string]any{"jwk": jwk})),
		"a key in the header, alone": signed(with(map[string]any{"jwk": jwk, "kid": nil})),
		"keys at an address":         signed(with(map[string]any{"jku": keys.URL})),
		"a certificate's address":    signed(with(map[string]any{"x5u": keys.URL})),
		"a critical extension":       signed(with(map[string]any{"crit": []string{"exp"}})),
		"another typ":                signed(with(map[string]any{"typ": "JWT"})),
		"the claims changed":         parts[0] + "." + part(t, map[string]any{"iss": w.url, "aud": w.url, "sub": "u-x"}) + "." + parts[2],
	}
}

// What a token's header says never chooses how it is verified, nor by which key.
func TestAttack12AlgorithmConfusionAndForeignKeys(t *testing.T) {
	w, p := exchanging(t)
	cli := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	got := cli.post(issuer.TokenPath, byCode(code, verifier, laptop))
	cli.me(got.Access, nil) // it has a nonce now
	for name, raw := range forged(t, w, got.Access) {
		if a := cli.me(raw, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("the API: %s: %+v", name, a)
		}
		if a := cli.post(issuer.TokenPath, exchange(raw, "storage", nil)); a.Error != "invalid_request" {
			t.Errorf("exchanged: %s: %+v", name, a)
		}
	}
	called := w.mint(w.inWorkspace(), "planner")
	for name, raw := range forged(t, w, called.Token) {
		if a := p.post(issuer.IntrospectionPath, url.Values{"token": {raw}}); a.Status != http.StatusOK || a.Active {
			t.Errorf("introspected: %s: %+v", name, a)
		}
		if a := p.post(issuer.TokenPath, exchange(raw, "storage", nil)); a.Error != "invalid_request" {
			t.Errorf("exchanged: %s: %+v", name, a)
		}
	}
	if me := cli.me(got.Access, nil); me.Status != http.StatusOK {
		t.Errorf("the token itself: %+v", me)
	}
}

// A token of one kind, or for one audience, is nothing at another (SECURITY row 10).
func TestAttack10TokenAtAnotherAudience(t *testing.T) {
	w, p := exchanging(t)
	cli := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	own := cli.post(issuer.TokenPath, byCode(code, verifier, laptop))
	third := &program{w: w, id: portal, secret: portalSecret}
	code, verifier = w.code(portal, portalBack, nil)
	theirs := third.post(issuer.TokenPath, byCode(code, verifier, portalBack))
	bound := cli.post(issuer.TokenPath, exchange(own.Access, "storage", nil))
	in := w.inWorkspace()
	for name, raw := range map[string]string{
		"a token for storage, bound to the same key": bound.Access, "an ID token": own.ID, "another client's access token": theirs.Access, "another client's ID token": theirs.ID,
		"a token for the planner": w.mint(in, "planner").Token, "a token for a cloud": w.mint(in, "aws").Token, "a refresh token": own.Refresh,
	} {
		if a := cli.me(raw, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("the API takes %s: %+v", name, a)
		}
	}
	for name, raw := range map[string]string{"the command's access token": own.Access, "an ID token": theirs.ID, "a token for storage": w.mint(in, "storage").Token, "a refresh token": theirs.Refresh} {
		if a := p.post(issuer.IntrospectionPath, url.Values{"token": {raw}}); a.Active {
			t.Errorf("the planner takes %s: %+v", name, a)
		}
	}
}

// Every answer to an authorization request says whose it is, so that a client that talks to several takes none for
// another's (RFC 9207); what a client has of one, another client cannot use.
func TestAttack17AnswersSayWhoseTheyAre(t *testing.T) {
	w := newWorld(t)
	_, s256 := challenge()
	good := url.Values{"client_id": {portal}, "redirect_uri": {portalBack}, "response_type": {"code"}, "state": {"s"}, "code_challenge": {s256}, "code_challenge_method": {"S256"}}
	for name, change := range map[string]url.Values{
		"an error": {"response_type": {"token"}}, "no challenge": {"code_challenge": {""}}, "another resource": {"resource": {"https://evil.example.test"}},
		"a request object": {"request": {"e30.e30."}},
	} {
		q := url.Values{}
		for _, values := range []url.Values{good, change} {
			for k, v := range values {
				q[k] = v
			}
		}
		resp, _ := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil)
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || to.Query().Get("iss") != w.url || to.Query().Get("error") == "" || to.Query().Get("state") != "s" {
			t.Errorf("%s: %s %v", name, to, err)
		}
	}
	if resp, _ := w.browse(issuer.AuthorizePath, good); resp.Header.Get("Location") == "" || !strings.Contains(resp.Header.Get("Location"), "iss=") {
		t.Errorf("who says no: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	other := &program{w: w, id: planner, secret: plannerSecret}
	code, verifier := w.code(portal, portalBack, nil)
	if a := other.post(issuer.TokenPath, byCode(code, verifier, portalBack)); a.Error != "invalid_grant" {
		t.Errorf("a code at another client: %+v", a)
	}
}

// A code that comes again ends what its first use began: one of the two was not meant to have it.
func TestAttack17CodeReplayEndsTheSession(t *testing.T) {
	w := newWorld(t)
	p, thief := w.program(issuer.CLI), w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	first := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	stranger := &program{w: w, id: portal, secret: portalSecret}
	if a := stranger.post(issuer.TokenPath, byCode(code, verifier, laptop)); a.Error != "invalid_grant" {
		t.Errorf("another client: %+v", a)
	}
	if me := p.me(first.Access, nil); me.Status != http.StatusOK {
		t.Errorf("another client ends nothing: %+v", me)
	}
	if a := thief.post(issuer.TokenPath, byCode(code, verifier, laptop)); a.Error != "invalid_grant" {
		t.Errorf("again: %+v", a)
	}
	if me := p.me(first.Access, nil); me.Status != http.StatusUnauthorized {
		t.Errorf("the session lives on: %+v", me)
	}
	if a := p.post(issuer.TokenPath, byRefresh(first.Refresh)); a.Error != "invalid_grant" {
		t.Errorf("its refresh token lives on: %+v", a)
	}
	ended := 0
	for _, signIn := range w.sessions.Set().SignInsOf(ada) {
		for _, row := range w.sessions.Set().Below(signIn.ID) {
			if strings.Contains(row.EndedWhy, "used twice") {
				ended++
			}
		}
	}
	if ended != 1 {
		t.Errorf("%d sessions say why they ended", ended)
	}
	if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool { return e.Action == "oauth:token" && e.Outcome == audit.Denied }) {
		t.Error("not in the log")
	}
}

// A proof that one replica has taken is refused by the others, at once and for as long as its nonce is good.
func TestAttack17ProofAtAnotherReplica(t *testing.T) {
	w := newWorld(t)
	p := w.program(issuer.CLI)
	shared := w.config
	shared.Shared = true
	replicas := []*issuer.Issuer{issuer.New(shared), issuer.New(shared)}
	at := func(i *issuer.Issuer, proof string) answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.url+issuer.TokenPath, strings.NewReader(url.Values{"client_id": {issuer.CLI}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", proof)
		rec := httptest.NewRecorder()
		for _, route := range i.Machine() {
			if route.Path == issuer.TokenPath {
				if err := route.Serve(rec, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		a := answer{Status: rec.Code, Header: rec.Result().Header, Text: rec.Body.String()}
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	p.nonce = at(replicas[0], p.proof(http.MethodPost, w.url+issuer.TokenPath, "", nil)).Header.Get("DPoP-Nonce")
	proof := p.proof(http.MethodPost, w.url+issuer.TokenPath, "", nil)
	if a := at(replicas[0], proof); a.Error != "invalid_grant" { // the proof was taken; the refresh token is none
		t.Fatalf("%+v", a)
	}
	for i, replica := range replicas {
		if a := at(replica, proof); a.Error != "invalid_dpop_proof" {
			t.Errorf("at replica %d again: %+v", i, a)
		}
	}
	if a := at(replicas[1], p.proof(http.MethodPost, w.url+issuer.TokenPath, "", nil)); a.Error != "invalid_grant" {
		t.Errorf("another proof: %+v", a)
	}
}

// A client asks as often as it may, and who guesses secrets is counted by address.
func TestClientsAskNotTooOften(t *testing.T) {
	w := newWorld(t)
	limited := w.config
	const most = 3
	for i := range limited.Clients {
		limited.Clients[i].Requests = most
	}
	asked := 0
	limited.Serve = func(string, time.Time) bool { asked++; return asked <= most }
	i := issuer.New(limited)
	introspect := func(id, secret string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.url+issuer.IntrospectionPath, strings.NewReader(url.Values{"token": {"x"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(id, secret)
		rec := httptest.NewRecorder()
		for _, route := range i.Machine() {
			if route.Path == issuer.IntrospectionPath {
				if err := route.Serve(rec, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		return rec
	}
	for n := range most + 1 {
		want := http.StatusOK
		if n == most {
			want = http.StatusTooManyRequests
		}
		if rec := introspect(planner, plannerSecret); rec.Code != want || n == most && rec.Header().Get("Retry-After") == "" {
			t.Errorf("the planner's request %d: %d %s", n, rec.Code, rec.Body)
		}
	}
	if rec := introspect(reportsServer, reportsSecret); rec.Code != http.StatusOK {
		t.Errorf("another client: %d %s", rec.Code, rec.Body)
	}
	for n := range most + 1 {
		want := http.StatusUnauthorized
		if n == most {
			want = http.StatusTooManyRequests
		}
		if rec := introspect(reportsServer, "guessed"); rec.Code != want {
			t.Errorf("guess %d: %d %s", n, rec.Code, rec.Body)
		}
	}
}
