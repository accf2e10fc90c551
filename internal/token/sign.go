package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Sign returns claims, which must encode as a JSON object, as a JWT of a type (`typ`, such as
// "lanyard-assertion+jwt"), signed by the newest key of a kind: with RS256 for [Federation], with ES256 otherwise.
//
// The compact form is put together here rather than by a general JOSE signer because it is made for every request
// to an internal app; the signature is then nearly all that it costs.
func (k *Keys) Sign(kind, typ string, claims any) (string, error) {
	key, ok := k.set.Load().signer(kind, k.now())
	if !ok {
		return "", fmt.Errorf("there is no key that signs %s", kind)
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{string(algorithm(kind)), key.id, typ})
	if err != nil {
		return "", fmt.Errorf("encode a token's header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode a token's claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	text := make([]byte, 0, b64.EncodedLen(len(header))+b64.EncodedLen(len(payload))+b64.EncodedLen(rsaBits/8)+2)
	text = b64.AppendEncode(text, header)
	text = append(text, '.')
	text = b64.AppendEncode(text, payload)
	digest := sha256.Sum256(text)
	signed, err := key.sign(digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	text = append(text, '.')
	return string(b64.AppendEncode(text, signed)), nil
}

// sign returns the signature of a SHA-256 digest as JOSE writes it (RFC 7518 sections 3.3 and 3.4).
func (s signing) sign(digest []byte) ([]byte, error) {
	private, ok := s.private.(*ecdsa.PrivateKey)
	if !ok {
		return s.private.Sign(rand.Reader, digest, crypto.SHA256) // RSASSA-PKCS1-v1_5
	}
	r, t, err := ecdsa.Sign(rand.Reader, private, digest)
	if err != nil {
		return nil, err
	}
	signed := make([]byte, 64)
	r.FillBytes(signed[:32])
	t.FillBytes(signed[32:])
	return signed, nil
}
