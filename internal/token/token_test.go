package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// rows is a store in memory.
type rows struct {
	mu   sync.Mutex
	keys []Key
}

func (r *rows) Keys(_ context.Context, kind string) ([]Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Key
	for _, k := range r.keys {
		if k.Kind == kind {
			found = append(found, k)
		}
	}
	return found, nil
}

func (r *rows) AddKey(_ context.Context, k Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, k)
	return nil
}

func newSealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer(NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openKeys(t testing.TB, r Rows, s *Sealer) *Keys {
	t.Helper()
	k, err := Open(t.Context(), Config{Rows: r, Sealer: s, Kinds: []string{Assertion, "other"}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type claims struct {
	Issuer   string `json:"iss,omitempty"`
	Audience any    `json:"aud,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
	NotYet   int64  `json:"nbf,omitempty"`
	Name     string `json:"name,omitempty"`
}

const testType = "lanyard-assertion+jwt"

func good() claims {
	return claims{Issuer: "https://lanyard.example.test", Audience: "ledger", Expires: time.Now().Add(time.Minute).Unix(), Name: "Ada"}
}

func expect(k Finder) Expect {
	return Expect{Type: testType, Issuer: "https://lanyard.example.test", Audience: "ledger", Keys: k}
}

func TestSignedTokenIsVerifiedByAPublishedKey(t *testing.T) {
	k := openKeys(t, &rows{}, newSealer(t))
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(k.JWKS())
	}))
	defer published.Close()

	raw, err := k.Sign(Assertion, testType, good())
	if err != nil {
		t.Fatal(err)
	}
	remote := &Remote{URL: published.URL, Client: published.Client()}
	var got claims
	if err := expect(remote).Verify(t.Context(), raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "Ada" {
		t.Errorf("name = %q", got.Name)
	}
	if text, _ := json.Marshal(k.JWKS()); strings.Contains(string(text), `"d"`) {
		t.Errorf("the published set holds a private key: %s", text)
	}
}

func TestKeysSurviveARestartAndRotate(t *testing.T) {
	store, sealer := &rows{}, newSealer(t)
	first := openKeys(t, store, sealer)
	old, err := first.Sign(Assertion, testType, good())
	if err != nil {
		t.Fatal(err)
	}
	second := openKeys(t, store, sealer)
	if len(store.keys) != 2 {
		t.Fatalf("%d keys are stored, not one of each kind", len(store.keys))
	}
	if err := second.Rotate(t.Context(), Assertion); err != nil {
		t.Fatal(err)
	}
	early, err := second.Sign(Assertion, testType, good())
	if err != nil {
		t.Fatal(err)
	}
	if len(second.JWKS().Keys) != 3 {
		t.Error("the new key is not published before it signs")
	}
	if err := expect(first).Verify(t.Context(), early, &claims{}); err != nil {
		t.Errorf("the new key signs before anybody can know it: %v", err)
	}
	at := second.now()
	second.now = func() time.Time { return at.Add(publishedFor) }
	fresh, err := second.Sign(Assertion, testType, good())
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	for _, raw := range []string{old, fresh} {
		if err := expect(second).Verify(t.Context(), raw, &c); err != nil {
			t.Error(err)
		}
	}
	if err := expect(first).Verify(t.Context(), fresh, &c); err == nil {
		t.Error("a key was verified before it was read")
	}
	if err := first.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := expect(first).Verify(t.Context(), fresh, &c); err != nil {
		t.Errorf("after reading again: %v", err)
	}
	first.now = func() time.Time { return at.Add(publishedFor + verifiesFor + time.Second) }
	if n := len(first.JWKS().Keys); n != 2 {
		t.Errorf("%d keys are published a day later", n)
	}
}

func TestSealedKeyOpensOnlyInItsOwnPlace(t *testing.T) {
	store, sealer := &rows{}, newSealer(t)
	openKeys(t, store, sealer)
	if _, err := Open(t.Context(), Config{Rows: store, Sealer: newSealer(t), Kinds: []string{Assertion}}); err == nil {
		t.Error("keys opened under another encryption key")
	}
	swapped := &rows{keys: []Key{store.keys[0]}}
	swapped.keys[0].Kind = "other"
	if _, err := Open(t.Context(), Config{Rows: swapped, Sealer: sealer, Kinds: []string{"other"}}); err == nil {
		t.Error("a key of one kind opened as another kind's")
	}
	if _, err := NewSealer([]byte("short")); err == nil {
		t.Error("a short encryption key was taken")
	}
}

// TestAttack12TokenAlgorithmAndClaims: a token decides neither its algorithm nor which claims are looked at.
func TestAttack12TokenAlgorithmAndClaims(t *testing.T) {
	k := openKeys(t, &rows{}, newSealer(t))
	sign := func(kind, typ string, change func(*claims)) string {
		c := good()
		if change != nil {
			change(&c)
		}
		raw, err := k.Sign(kind, typ, c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	valid := sign(Assertion, testType, nil)
	parts := strings.Split(valid, ".")
	kid := k.JWKS().Keys[0].KeyID
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

	public, err := json.Marshal(k.JWKS().Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	mac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: public},
		(&jose.SignerOptions{}).WithType(testType).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(good())
	hmac, err := mac.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	hmacText, err := hmac.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}

	attacks := map[string]string{
		"alg none":                    encode(`{"alg":"none","typ":"`+testType+`","kid":"`+kid+`"}`) + "." + parts[1] + ".",
		"alg none, old signature":     encode(`{"alg":"none","typ":"`+testType+`","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"HMAC with the public key":    hmacText,
		"no signature":                parts[0] + "." + parts[1] + ".",
		"another payload":             parts[0] + "." + encode(`{"iss":"https://lanyard.example.test","aud":"ledger","exp":99999999999,"name":"Grace"}`) + "." + parts[2],
		"no key named":                encode(`{"alg":"ES256","typ":"`+testType+`"}`) + "." + parts[1] + "." + parts[2],
		"unknown key":                 encode(`{"alg":"ES256","typ":"`+testType+`","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"another typ":                 sign(Assertion, "JWT", nil),
		"no typ":                      sign(Assertion, "", nil),
		"another issuer":              sign(Assertion, testType, func(c *claims) { c.Issuer = "https://lanyard.example.test/" }),
		"no issuer":                   sign(Assertion, testType, func(c *claims) { c.Issuer = "" }),
		"another audience":            sign(Assertion, testType, func(c *claims) { c.Audience = "payroll" }),
		"no audience":                 sign(Assertion, testType, func(c *claims) { c.Audience = nil }),
		"two audiences":               sign(Assertion, testType, func(c *claims) { c.Audience = []string{"ledger", "payroll"} }),
		"expired":                     sign(Assertion, testType, func(c *claims) { c.Expires = time.Now().Add(-time.Second).Unix() }),
		"never expires":               sign(Assertion, testType, func(c *claims) { c.Expires = 0 }),
		"not valid yet":               sign(Assertion, testType, func(c *claims) { c.NotYet = time.Now().Add(time.Hour).Unix() }),
		"key set in the token itself": encode(`{"alg":"ES256","typ":"`+testType+`","jwk":`+string(public)+`}`) + "." + parts[1] + "." + parts[2],
		"too large":                   strings.Repeat("a", maxTokenSize+1),
		"empty":                       "",
	}
	for name, raw := range attacks {
		var c claims
		if err := expect(k).Verify(t.Context(), raw, &c); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
	var c claims
	if err := expect(k).Verify(t.Context(), valid, &c); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for _, e := range []Expect{
		{Issuer: "https://lanyard.example.test", Audience: "ledger", Keys: k},
		{Type: testType, Audience: "ledger", Keys: k},
		{Type: testType, Issuer: "https://lanyard.example.test", Keys: k},
	} {
		if err := e.Verify(t.Context(), valid, &c); err == nil {
			t.Errorf("believed without being told what to expect: %+v", e)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := openKeys(b, &rows{}, newSealer(b))
	c := good()
	for b.Loop() {
		if _, err := k.Sign(Assertion, testType, c); err != nil {
			b.Fatal(err)
		}
	}
}
