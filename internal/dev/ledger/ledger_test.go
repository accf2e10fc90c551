package ledger

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/token"
)

type keyRows []token.Key

func (r *keyRows) Keys(_ context.Context, kind string) (found []token.Key, _ error) {
	for _, k := range *r {
		if k.Kind == kind {
			found = append(found, k)
		}
	}
	return found, nil
}

func (r *keyRows) AddKey(_ context.Context, k token.Key) error { *r = append(*r, k); return nil }

func newKeys(t *testing.T) *token.Keys {
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.Open(t.Context(), token.Config{Rows: &keyRows{}, Sealer: sealer, Kinds: []string{token.Assertion}})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

const issuer = "https://lanyard.example.test"

func TestLedgerBelievesTheAssertionAlone(t *testing.T) {
	keys, others := newKeys(t), newKeys(t)
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(keys.JWKS()) }))
	defer published.Close()
	l := New(Config{Issuer: issuer, JWKS: published.URL, Audience: "ledger", Client: published.Client()})
	call := func(method, path, body string, headers ...string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for _, h := range headers {
			r.Header.Add("Lanyard-Assertion", h)
		}
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		return w.Code, string(text)
	}
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{
			"iss": issuer, "aud": "ledger", "exp": time.Now().Add(time.Minute).Unix(), "name": "Ada Lovelace", "oid": "ada",
			"project": "payments", "roles": []string{"developer"}, "htm": "GET", "htp": "/whoami",
		}
		maps.Copy(c, change)
		return c
	}
	sign := func(k *token.Keys, typ string, change map[string]any) string {
		signed, err := k.Sign(token.Assertion, typ, claims(change))
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	const typ = "lanyard-assertion+jwt"
	good := sign(keys, typ, nil)
	if code, body := call("GET", "/whoami?x=1", "", good); code != 200 || !strings.Contains(body, `"name":"Ada Lovelace"`) {
		t.Errorf("%d %s", code, body)
	}
	for name, values := range map[string][]string{
		"nothing":          nil,
		"two":              {good, good},
		"another's key":    {sign(others, typ, nil)},
		"another typ":      {sign(keys, "JWT", nil)},
		"another audience": {sign(keys, typ, map[string]any{"aud": "payroll"})},
		"another issuer":   {sign(keys, typ, map[string]any{"iss": "https://evil.example.test"})},
		"expired":          {sign(keys, typ, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})},
		"another method":   {sign(keys, typ, map[string]any{"htm": "POST"})},
		"another path":     {sign(keys, typ, map[string]any{"htp": "/entries"})},
		"no path":          {sign(keys, typ, map[string]any{"htp": ""})},
	} {
		if code, body := call("GET", "/whoami", "", values...); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	write := map[string]any{"htm": "POST", "htp": "/entries"}
	if code, body := call("POST", "/entries", `{"text":"x"}`, sign(keys, typ, write)); code != 201 {
		t.Errorf("a developer writes: %d %s", code, body)
	}
	write["roles"] = []string{"viewer"}
	if code, body := call("POST", "/entries", `{"text":"x"}`, sign(keys, typ, write)); code != 403 {
		t.Errorf("a viewer writes: %d %s", code, body)
	}
}

func TestStreamsBeginAtOnceAndGoOn(t *testing.T) {
	keys := newKeys(t)
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(keys.JWKS()) }))
	defer published.Close()
	server := httptest.NewServer(New(Config{Issuer: issuer, JWKS: published.URL, Audience: "ledger", Client: published.Client()}))
	defer server.Close()
	for path, begin := range map[string]string{"/watch": "id: 1\n", "/export": "00000001;"} {
		signed, err := keys.Sign(token.Assertion, "lanyard-assertion+jwt", map[string]any{
			"iss": issuer, "aud": "ledger", "exp": time.Now().Add(time.Minute).Unix(), "htm": "GET", "htp": path,
		})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest(http.MethodGet, server.URL+path, nil)
		r.Header.Set("Lanyard-Assertion", signed)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		first := make([]byte, 200)
		if n, err := io.ReadFull(resp.Body, first); err != nil || !strings.HasPrefix(string(first), begin) {
			t.Errorf("%s: %q, %v", path, first[:n], err)
		}
	}
}
