package entrasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestFederatedCredential: a token of another issuer stands for the app when issuer, subject and its one audience are
// those of the credential, and the issuer's key has signed it with RS256.
func TestFederatedCredential(t *testing.T) {
	key, err := newSigningKey(contoso().Users[0].CreatedDateTime)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSigningKey(contoso().Users[0].CreatedDateTime)
	if err != nil {
		t.Fatal(err)
	}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer.URL, issuer.URL+"/keys")
		case "/keys":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.key.Public(), KeyID: "k", Use: "sig", Algorithm: "RS256"}}})
		}
	}))
	t.Cleanup(issuer.Close)
	const subject, audience = "system:serviceaccount:lanyard:lanyard", "api://AzureADTokenExchange"
	org := contoso()
	org.Apps[0].Federated = []FederatedCredential{{Name: "kube", Issuer: issuer.URL, Subject: subject, Audience: audience}}
	w := newWorld(t, org)
	soon := w.clock.Now().Unix() + 300
	for name, c := range map[string]struct {
		key    signingKey
		alg    jose.SignatureAlgorithm
		claims string
		code   float64 // 0: taken
	}{
		"as registered":   {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL, subject, audience, soon), 0},
		"a list of one":   {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":[%q],"exp":%d}`, issuer.URL, subject, audience, soon), 0},
		"two audiences":   {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":[%q,"x"],"exp":%d}`, issuer.URL, subject, audience, soon), 700212},
		"another subject": {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL, subject+"2", audience, soon), 700213},
		"another issuer":  {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL+"/", subject, audience, soon), 700211},
		"another key":     {other, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL, subject, audience, soon), 700223},
		"PS256":           {key, jose.PS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL, subject, audience, soon), 700223},
		"expired":         {key, jose.RS256, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, issuer.URL, subject, audience, soon-3600), 700024},
	} {
		t.Run(name, func(t *testing.T) {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: c.alg, Key: c.key.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign([]byte(c.claims))
			if err != nil {
				t.Fatal(err)
			}
			assertion, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {LanyardAppID}, "scope": {w.GraphScope()},
				"client_assertion_type": {assertionType}, "client_assertion": {assertion}})
			if c.code == 0 {
				if status != http.StatusOK {
					t.Errorf("answered %d %v", status, body)
				}
				return
			}
			codes, _ := body["error_codes"].([]any)
			if status != http.StatusUnauthorized || body["error"] != "invalid_client" || len(codes) != 1 || codes[0] != c.code {
				t.Errorf("answered %d %v, want %v", status, body, c.code)
			}
		})
	}
}
