package issuer

import (
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/token"
)

// proof checks the DPoP proof of a request, if there is one: for this method, address, access token and time, with a nonce
// of ours, and never seen before (RFC 9449 section 4.3). It returns the thumbprint of its key; empty when there is none.
func (s *Issuer) proof(r *http.Request, accessToken string) (thumbprint string, err error) {
	values := r.Header.Values("DPoP")
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", refuse(invalidProof, "The request has several DPoP proofs.")
	}
	p, err := token.ParseProof(values[0])
	if err != nil {
		return "", refuse(invalidProof, "The DPoP proof is refused: %v.", err)
	}
	if err := p.Fits(r.Method, s.url(r.URL.EscapedPath()), accessToken); err != nil {
		return "", refuse(invalidProof, "The DPoP proof is refused: %v.", err)
	}
	now := s.c.Now()
	if !s.c.Nonces.Good(p.Nonce, now) {
		refused := refuse(useNonce, "The DPoP proof needs the nonce that stands in DPoP-Nonce.")
		refused.nonce = s.c.Nonces.New(now)
		return "", refused
	}
	if age := now.Sub(p.At); age > nonceLife+proofSkew || age < -proofSkew {
		return "", refuse(invalidProof, "The DPoP proof was made at %s, and it is %s here. Set the clock right.",
			p.At.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if !s.proofs.First(p.Thumbprint+" "+p.ID, now) {
		return "", refuse(invalidProof, "The DPoP proof was used before.")
	}
	return p.Thumbprint, nil
}
