package entrasim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestClientAssertion authenticates with a certificate (private_key_jwt), its thumbprint written
// both as the standard and as Microsoft's own library do.
func TestClientAssertion(t *testing.T) {
	org := contoso()
	pair, err := newSigningKey(contoso().Users[0].CreatedDateTime)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSigningKey(contoso().Users[0].CreatedDateTime)
	if err != nil {
		t.Fatal(err)
	}
	org.Apps[0].Certificates = [][]byte{pair.Cert}
	w := newWorld(t, org)
	sum := sha256.Sum256(pair.Cert)
	try := func(key signingKey, alg jose.SignatureAlgorithm, thumbprint, audience string, expires int64) (int, map[string]any) {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key.key}, (&jose.SignerOptions{}).WithHeader("x5t#S256", thumbprint))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(fmt.Appendf(nil, `{"aud":%q,"iss":%q,"sub":%q,"jti":"1","nbf":%d,"exp":%d}`, audience, LanyardAppID, LanyardAppID, expires-600, expires))
		if err != nil {
			t.Fatal(err)
		}
		assertion, _ := signed.CompactSerialize()
		return w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {LanyardAppID}, "scope": {w.GraphScope()},
			"client_assertion_type": {assertionType}, "client_assertion": {assertion}})
	}
	soon := w.clock.Now().Unix() + 300
	raw, padded := base64.RawURLEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:])
	for _, good := range []string{raw, padded} {
		for _, alg := range []jose.SignatureAlgorithm{jose.PS256, jose.RS256} {
			status, body := try(pair, alg, good, w.tokenEndpoint(), soon)
			if status != http.StatusOK {
				t.Fatalf("%s %s: %d %v", alg, good, status, body)
			}
			if c := claims(t, body["access_token"].(string)); c["azpacr"] != "2" {
				t.Errorf("azpacr %v", c["azpacr"])
			}
		}
	}
	for what, attempt := range map[string]func() (int, map[string]any){
		"another key":   func() (int, map[string]any) { return try(other, jose.PS256, raw, w.tokenEndpoint(), soon) },
		"no thumbprint": func() (int, map[string]any) { return try(pair, jose.PS256, "", w.tokenEndpoint(), soon) },
		"another audience": func() (int, map[string]any) {
			return try(pair, jose.PS256, raw, "https://elsewhere.example.test", soon)
		},
		"expired": func() (int, map[string]any) { return try(pair, jose.PS256, raw, w.tokenEndpoint(), soon-3600) },
	} {
		if status, body := attempt(); status != http.StatusUnauthorized || body["error"] != "invalid_client" {
			t.Errorf("%s: %d %v", what, status, body)
		}
	}
}
