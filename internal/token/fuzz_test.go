package token

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Nothing but what was signed is believed.
func FuzzVerify(f *testing.F) {
	k := openKeys(f, &rows{}, newSealer(f))
	raw, err := k.Sign(Assertion, testType, good())
	if err != nil {
		f.Fatal(err)
	}
	head, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	coded := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, s := range []string{
		raw, head + "." + payload + ".", coded(`{"alg":"none","typ":"`+testType+`"}`) + "." + payload + ".",
		coded(`{"alg":"HS256","kid":"x","typ":"`+testType+`"}`) + "." + payload + "." + signature,
		head + "." + coded(`{"iss":"https://lanyard.example.test","aud":"ledger","exp":9999999999,"name":"Eve"}`) + "." + signature,
		raw + "." + signature, "..", "{}", raw[:len(raw)-1] + "!",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got claims
		if err := expect(k).Verify(context.Background(), s, &got); err == nil && got.Name != "Ada" {
			t.Fatalf("%q is believed: %+v", s, got)
		}
	})
}

// answers gives the same answer to every request.
type answers []byte

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a)), Request: r, Header: http.Header{}}, nil
}

// A set of keys is read from elsewhere: whatever it holds, only a public key for ES256 can verify.
func FuzzKeySet(f *testing.F) {
	k := openKeys(f, &rows{}, newSealer(f))
	set, err := json.Marshal(k.JWKS())
	if err != nil {
		f.Fatal(err)
	}
	raw, err := k.Sign(Assertion, testType, good())
	if err != nil {
		f.Fatal(err)
	}
	id := k.JWKS().Keys[0].KeyID
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"` + id + `","k":"AAAA","alg":"ES256"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"` + id + `","alg":"ES256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		remote := &Remote{URL: "https://issuer.example.test/keys", Client: &http.Client{Transport: answers(b)}}
		var got claims
		if err := expect(remote).Verify(context.Background(), raw, &got); err == nil && got.Name != "Ada" {
			t.Fatalf("%q verifies %+v", b, got)
		}
	})
}

func FuzzSealed(f *testing.F) {
	s := newSealer(f)
	sealed := s.Seal("place", []byte("secret"))
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := s.Open("place", b); err == nil && string(plain) != "secret" {
			t.Fatalf("%x opens as %q", b, plain)
		}
		if _, err := s.Open("another place", b); err == nil {
			t.Fatalf("%x opens in another place", b)
		}
	})
}
