package issuer

import (
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// proof checks the DPoP proof of a request, if there is one: for this method, address, access token and time, with a nonce
// of ours, and never seen before (RFC 9449 section 4.3). It returns the thumbprint of its key; empty when there is none. Where a
// is an access token's, its key must be the proof's.
func (s *Issuer) proof(r *http.Request, accessToken string, a accessClaims) (thumbprint string, err error) {
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
	if bound := a.thumbprint(); bound != "" && bound != p.Thumbprint { // before it is remembered: a thief fills nothing
		return "", refuse(invalidToken, "The request does not prove that it has the key of its access token.")
	}
	party := a.Subject // all keys of a person's count together
	if party == "" {
		party = p.Thumbprint
	}
	what := p.Thumbprint + " " + p.ID
	if !s.proofs.First(party, what, now) {
		return "", refuse(invalidProof, "The DPoP proof was used before, or more come than are remembered.")
	}
	if err := s.firstAnywhere(r, what, now); err != nil {
		return "", err
	}
	return p.Thumbprint, nil
}

// proofKind is the kind of the rows that say which proofs were used, where several replicas take them.
const proofKind = "dpop-proof"

// firstAnywhere refuses a proof that another replica has taken. Only what changes something is worth a row: a request that
// merely reads answers to whoever has the access token, and changes nothing when it is made again within the minute.
func (s *Issuer) firstAnywhere(r *http.Request, what string, now time.Time) error {
	if !s.c.Shared || r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil
	}
	err := s.c.Rows.PutOnce(r.Context(), proofKind, hashOf(what), nil, now.Add(nonceLife+proofSkew))
	if problem.KindOf(err) == problem.Conflict {
		return refuse(invalidProof, "The DPoP proof was used before.")
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written. Try again in a moment.")
	}
	return nil
}
