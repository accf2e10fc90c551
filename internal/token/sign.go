package token

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Sign returns claims, which must encode as a JSON object, as a JWT of a type (`typ`, such as
// "lanyard-assertion+jwt"), signed with ES256 by the newest key of a kind.
//
// The compact form is put together here rather than by a general JOSE signer because it is made for every request
// to an internal app; the ECDSA signature is then nearly all that it costs.
func (k *Keys) Sign(kind, typ string, claims any) (string, error) {
	key, ok := k.set.Load().signer(kind, k.now())
	if !ok {
		return "", fmt.Errorf("there is no key that signs %s", kind)
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{"ES256", key.id, typ})
	if err != nil {
		return "", fmt.Errorf("encode a token's header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode a token's claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	const signature = 64 // R and S, 32 bytes each (RFC 7518 section 3.4)
	text := make([]byte, 0, b64.EncodedLen(len(header))+b64.EncodedLen(len(payload))+b64.EncodedLen(signature)+2)
	text = b64.AppendEncode(text, header)
	text = append(text, '.')
	text = b64.AppendEncode(text, payload)
	digest := sha256.Sum256(text)
	signed, err := es256(key, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	text = append(text, '.')
	return string(b64.AppendEncode(text, signed)), nil
}

func es256(key signing, digest []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key.private, digest)
	if err != nil {
		return nil, err
	}
	signed := make([]byte, 64)
	r.FillBytes(signed[:32])
	s.FillBytes(signed[32:])
	return signed, nil
}
