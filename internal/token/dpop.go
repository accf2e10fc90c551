package token

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Proof is a DPoP proof whose signature holds (RFC 9449 section 4.2): whoever sent it has the private key. It says nothing
// yet of the request that it came with; Fits does.
type Proof struct {
	Thumbprint string // of the key (RFC 7638), base64url of SHA-256: what tokens are bound to (`cnf.jkt`)
	ID         string // jti
	Method     string // htm
	URL        string // htu, as it was sent
	At         time.Time
	Nonce      string // as the server gave it; may be empty
	token      string // ath; empty where no access token is shown
}

// proofAlgorithms are what clients may sign proofs with: asymmetric ones only (RFC 9449 section 4.3, 5.).
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}

const (
	maxProofSize = 4 << 10
	maxProofID   = 256
	minProofBits = 2048 // of an RSA key
)

// ParseProof checks a proof's form, its type, its key and its signature.
func ParseProof(raw string) (Proof, error) {
	if len(raw) > maxProofSize {
		return Proof{}, errors.New("the proof is too large")
	}
	signed, err := jose.ParseSignedCompact(raw, proofAlgorithms)
	if err != nil {
		return Proof{}, fmt.Errorf("parse the proof: %w", err)
	}
	header := signed.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return Proof{}, fmt.Errorf("the proof's typ is %q, not dpop+jwt", typ)
	}
	key := header.JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() {
		return Proof{}, errors.New("the proof names no public key")
	}
	if sized, ok := key.Key.(interface{ Size() int }); ok && sized.Size()*8 < minProofBits {
		return Proof{}, fmt.Errorf("the proof's RSA key has fewer than %d bits", minProofBits)
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return Proof{}, fmt.Errorf("check the proof's signature: %w", err)
	}
	var c struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		At     *int64 `json:"iat"`
		Token  string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return Proof{}, fmt.Errorf("decode the proof: %w", err)
	}
	if c.ID == "" || len(c.ID) > maxProofID || c.Method == "" || c.URL == "" || c.At == nil {
		return Proof{}, errors.New("the proof lacks one of jti, htm, htu, iat")
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, fmt.Errorf("the proof's key: %w", err)
	}
	return Proof{
		Thumbprint: base64.RawURLEncoding.EncodeToString(thumbprint), ID: c.ID, Method: c.Method, URL: c.URL,
		At: time.Unix(*c.At, 0), Nonce: c.Nonce, token: c.Token,
	}, nil
}

// Fits reports why a proof is not for a request: its method, its address without query and fragment, and the access token
// that it shows, which may be empty. Time, nonce and repetition are the caller's to judge.
func (p Proof) Fits(method, address, accessToken string) error {
	if p.Method != method {
		return fmt.Errorf("the proof is for %q, not %q", p.Method, method)
	}
	if !sameAddress(p.URL, address) {
		return fmt.Errorf("the proof is not for this address")
	}
	want := ""
	if accessToken != "" {
		digest := sha256.Sum256([]byte(accessToken))
		want = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	if accessToken != "" && subtle.ConstantTimeCompare([]byte(p.token), []byte(want)) != 1 {
		return errors.New("the proof is not for this access token")
	}
	return nil
}

// sameAddress compares as RFC 9449 section 4.3, 9. asks for: without query and fragment, after normalising what
// RFC 3986 lets differ: the case of scheme and host, and the scheme's own port. Paths are compared as they are.
func sameAddress(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	if errX != nil || errY != nil || x.User != nil || x.Opaque != "" {
		return false
	}
	return strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(x.Hostname(), y.Hostname()) && port(x) == port(y) &&
		x.EscapedPath() == y.EscapedPath()
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "https") {
		return "443"
	}
	return "80"
}
