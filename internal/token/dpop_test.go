package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const tokenURL = "https://lanyard.example.test/oauth/token"

func proof(t testing.TB, alg jose.SignatureAlgorithm, key any, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{jose.HeaderType: typ}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func of(changes ...any) map[string]any {
	c := map[string]any{"jti": "one", "htm": "POST", "htu": tokenURL, "iat": time.Now().Unix()}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
		} else {
			c[changes[i].(string)] = changes[i+1]
		}
	}
	return c
}

func TestProof(t *testing.T) {
	key := p256(t)
	p, err := ParseProof(proof(t, jose.ES256, key, "dpop+jwt", of("nonce", "n")))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "one" || p.Nonce != "n" || len(p.Thumbprint) != 43 || time.Since(p.At) > time.Minute {
		t.Errorf("%+v", p)
	}
	other, err := ParseProof(proof(t, jose.ES256, p256(t), "dpop+jwt", of()))
	if err != nil || other.Thumbprint == p.Thumbprint {
		t.Errorf("another key: %+v %v", other, err)
	}
	for _, same := range []string{tokenURL, "HTTPS://Lanyard.example.test:443/oauth/token", tokenURL + "?a=b#c"} {
		if err := p.Fits("POST", same, ""); err != nil {
			t.Errorf("%s: %v", same, err)
		}
	}
}

// Each of these is a proof of another thing, or none.
func TestAttack12ProofOfAnotherThing(t *testing.T) {
	key := p256(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("0123456789abcdef0123456789abcdef")
	for name, raw := range map[string]string{
		"another type":   proof(t, jose.ES256, key, "JWT", of()),
		"a shared key":   proof(t, jose.HS256, secret, "dpop+jwt", of()),
		"a small key":    proof(t, jose.RS256, small, "dpop+jwt", of()),
		"no jti":         proof(t, jose.ES256, key, "dpop+jwt", of("jti", nil)),
		"no htm":         proof(t, jose.ES256, key, "dpop+jwt", of("htm", nil)),
		"no htu":         proof(t, jose.ES256, key, "dpop+jwt", of("htu", nil)),
		"no iat":         proof(t, jose.ES256, key, "dpop+jwt", of("iat", nil)),
		"not a JWT":      "x.y.z",
		"an empty one":   "",
		"a cut one":      proof(t, jose.ES256, key, "dpop+jwt", of())[:200],
		"without a key":  proofWithoutKey(t, key),
		"unsigned":       unsigned(of()),
		"another's sign": swapped(t),
	} {
		if p, err := ParseProof(raw); err == nil {
			t.Errorf("%s is a proof: %+v", name, p)
		}
	}
	const access = "an.access.token"
	digest := sha256.Sum256([]byte(access))
	ath := base64.RawURLEncoding.EncodeToString(digest[:])
	for name, c := range map[string]struct {
		claims          map[string]any
		method, address string
		token           string
	}{
		"another method":      {of(), "GET", tokenURL, ""},
		"another path":        {of(), "POST", tokenURL + "/", ""},
		"another host":        {of(), "POST", "https://evil.example.test/oauth/token", ""},
		"another port":        {of(), "POST", "https://lanyard.example.test:8443/oauth/token", ""},
		"another scheme":      {of(), "POST", "http://lanyard.example.test/oauth/token", ""},
		"an encoded path":     {of("htu", "https://lanyard.example.test/oauth%2Ftoken"), "POST", tokenURL, ""},
		"user information":    {of("htu", "https://x@lanyard.example.test/oauth/token"), "POST", tokenURL, ""},
		"no token's hash":     {of(), "POST", tokenURL, access},
		"another token's":     {of("ath", ath), "POST", tokenURL, "another.access.token"},
		"not an address":      {of("htu", "https://%zz"), "POST", tokenURL, ""},
		"in lower case":       {of("htm", "post"), "POST", tokenURL, ""},
		"an address in parts": {of("htu", "lanyard.example.test/oauth/token"), "POST", tokenURL, ""},
	} {
		p, err := ParseProof(proof(t, jose.ES256, key, "dpop+jwt", c.claims))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := p.Fits(c.method, c.address, c.token); err == nil {
			t.Errorf("%s fits", name)
		}
	}
	p, err := ParseProof(proof(t, jose.ES256, key, "dpop+jwt", of("ath", ath)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Fits("POST", tokenURL, access); err != nil {
		t.Errorf("its own token: %v", err)
	}
}

func proofWithoutKey(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(of())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unsigned(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	b64 := base64.RawURLEncoding
	return b64.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + b64.EncodeToString(payload) + "."
}

// swapped names one key and is signed by another.
func swapped(t *testing.T) string {
	t.Helper()
	victim := jose.JSONWebKey{Key: p256(t).Public()}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p256(t)}, &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{jose.HeaderType: "dpop+jwt", "jwk": victim}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(of())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestNonces(t *testing.T) {
	n := Nonces{Sealer: newSealer(t), Life: time.Minute}
	now := time.Now()
	nonce := n.New(now)
	if !n.Good(nonce, now) || !n.Good(nonce, now.Add(59*time.Second)) {
		t.Error("a nonce is not good in its life")
	}
	for name, bad := range map[string]bool{
		"late":       n.Good(nonce, now.Add(62*time.Second)),
		"early":      n.Good(nonce, now.Add(-time.Minute)),
		"another's":  Nonces{Sealer: newSealer(t), Life: time.Minute}.Good(nonce, now),
		"changed":    n.Good("A"+nonce[1:], now) && nonce[0] != 'A',
		"empty":      n.Good("", now),
		"not base64": n.Good("***", now),
	} {
		if bad {
			t.Errorf("a nonce is good: %s", name)
		}
	}
}

func TestOnce(t *testing.T) {
	o := NewOnce(time.Minute)
	now := time.Now()
	if !o.First("ada", "a", now) || o.First("ada", "a", now) || o.First("ada", "a", now.Add(59*time.Second)) || o.First("ada", "a", now.Add(61*time.Second)) {
		t.Error("something was shown twice within its life")
	}
	if !o.First("ada", "b", now) || !o.First("ada", "a", now.Add(10*time.Minute)) {
		t.Error("what was not shown, or long ago, is refused")
	}
}

// One party fills no more than its share, so that it keeps nobody else from being first (SECURITY row 33).
func TestAttack33OneShowsNotEverything(t *testing.T) {
	o := NewOnce(time.Minute)
	now := time.Now()
	first := func(party string, n int) (count int) {
		for i := range n {
			if o.First(party, party+strconv.Itoa(i), now) {
				count++
			}
		}
		return count
	}
	share := onceOfOne * len(o.part)
	if got := first("eve", 4*share); got > share || got < share/2 {
		t.Errorf("eve was first %d times, of %d", got, share)
	}
	if got := first("ada", 1000); got != 1000 {
		t.Errorf("ada was first %d times", got)
	}
	now = now.Add(2 * time.Minute)
	if !o.First("eve", "later", now) {
		t.Error("eve is refused a life later")
	}
}

func FuzzProof(f *testing.F) {
	f.Add(proof(f, jose.ES256, p256(f), "dpop+jwt", of()))
	f.Add(unsigned(of()))
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := ParseProof(raw)
		if err == nil && (p.ID == "" || p.Thumbprint == "") {
			t.Fatalf("a proof without an identity: %+v", p)
		}
	})
}
