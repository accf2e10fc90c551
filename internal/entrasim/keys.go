package entrasim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyring holds the signing keys, newest last. The newest signs; the others are still published.
type keyring struct {
	Keys []signingKey
	// Pairwise is the secret from which the pairwise sub of a user at an app is made.
	Pairwise []byte
	// Portal is the secret behind the portal's form token.
	Portal []byte

	signer jose.Signer
}

type signingKey struct {
	Private []byte // PKCS #1
	Cert    []byte // DER, self-signed

	key *rsa.PrivateKey
}

// kid is the certificate's thumbprint; Entra uses the same value for kid and x5t.
func (k signingKey) kid() string {
	sum := sha1.Sum(k.Cert)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func newSigningKey(now time.Time) (signingKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return signingKey{}, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "accounts.accesscontrol.windows.net"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(5, 0, 0),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return signingKey{}, fmt.Errorf("make a certificate: %w", err)
	}
	return signingKey{Private: x509.MarshalPKCS1PrivateKey(key), Cert: cert, key: key}, nil
}

// use makes the newest key the one that signs.
func (k *keyring) use() error {
	for i := range k.Keys {
		if k.Keys[i].key != nil {
			continue
		}
		key, err := x509.ParsePKCS1PrivateKey(k.Keys[i].Private)
		if err != nil {
			return fmt.Errorf("read a signing key: %w", err)
		}
		k.Keys[i].key = key
	}
	newest := k.Keys[len(k.Keys)-1]
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: newest.key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", newest.kid()))
	if err != nil {
		return fmt.Errorf("make a signer: %w", err)
	}
	k.signer = signer
	return nil
}

func (t *Tenant) loadKeys() error {
	t.keys = &keyring{}
	found, err := t.store.read("keys.json", t.keys)
	if err != nil {
		return err
	}
	if found && len(t.keys.Keys) > 0 {
		return t.keys.use()
	}
	key, err := newSigningKey(t.now())
	if err != nil {
		return err
	}
	t.keys = &keyring{Keys: []signingKey{key}, Pairwise: []byte(randomID(32)), Portal: []byte(randomID(32))}
	if err := t.keys.use(); err != nil {
		return err
	}
	return t.store.write("keys.json", t.keys)
}

// RotateKeys makes a new signing key; the former ones stay published.
func (t *Tenant) RotateKeys() error {
	key, err := newSigningKey(t.now())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys.Keys = append(t.keys.Keys, key)
	if err := t.keys.use(); err != nil {
		return err
	}
	return t.store.write("keys.json", t.keys)
}

// sign makes a JWT of the claims. It takes t.mu only to read which key signs.
func (t *Tenant) sign(claims map[string]any) (string, error) {
	t.mu.Lock()
	signer := t.keys.signer
	t.mu.Unlock()
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed.CompactSerialize()
}

// verify returns the payload of a JWT that one of this tenant's keys signed.
func (t *Tenant) verify(token string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	keys := t.keys.Keys
	t.mu.Unlock()
	for _, k := range keys {
		if len(parsed.Signatures) == 1 && parsed.Signatures[0].Header.KeyID == k.kid() {
			return parsed.Verify(k.key.Public())
		}
	}
	return nil, fmt.Errorf("no key of this tenant signed the token")
}

// jsonKey is a key as the tenant's JWKS shows it: no alg, and an issuer for each key.
type jsonKey struct {
	Kty    string   `json:"kty"`
	Use    string   `json:"use"`
	Kid    string   `json:"kid"`
	X5t    string   `json:"x5t"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X5c    []string `json:"x5c"`
	Issuer string   `json:"issuer"`
}

func (t *Tenant) serveKeys(w http.ResponseWriter, r *http.Request) {
	issuer, failed := t.issuerFor(r.PathValue("tenant"))
	if failed != nil {
		t.writeSTS(w, r, failed)
		return
	}
	t.mu.Lock()
	keys := t.keys.Keys
	t.mu.Unlock()
	list := []jsonKey{}
	for _, k := range keys {
		list = append(list, jsonKey{
			Kty: "RSA", Use: "sig", Kid: k.kid(), X5t: k.kid(),
			N:   base64.RawURLEncoding.EncodeToString(k.key.N.Bytes()),
			E:   base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.key.E)).Bytes()),
			X5c: []string{base64.StdEncoding.EncodeToString(k.Cert)}, Issuer: issuer,
		})
	}
	t.metadataHeaders(w)
	writeJSON(w, http.StatusOK, map[string]any{"keys": list})
}
