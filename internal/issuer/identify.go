package issuer

import (
	"errors"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Shows reports whether a request shows an access token, so that Identify is who knows it.
func Shows(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "DPoP")
}

// Identify says who shows an access token of Lanyard's own: it must be bound to a key, and the request must prove that it
// has the key (RFC 9449 section 7). Cookies beside it are refused, so that neither is taken for the other's.
func (s *Issuer) Identify(r *http.Request) (identity.Principal, error) {
	a, err := s.shown(r, s.c.URL)
	if err != nil {
		s.noteRefusal(r, "oauth:access", err)
		return identity.Principal{}, challenge(err)
	}
	s.c.Sessions.Await(r.Context(), a.Session)
	row, _, ok := s.live(a)
	if !ok {
		return identity.Principal{}, challenge(refuse(invalidToken, "The session has ended. Sign in again."))
	}
	s.c.Sessions.Touch(row.ID)
	return identity.Principal{Kind: identity.Person, User: row.User, Session: row.ID}, nil
}

// shown is the access token of a request, with its proof.
func (s *Issuer) shown(r *http.Request, audience string) (accessClaims, error) {
	if len(r.Header.Values("Authorization")) != 1 || r.Header.Get("Cookie") != "" {
		return accessClaims{}, refuse(invalidToken, "The request shows more than one credential.")
	}
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	hash, now := hashOf(raw), s.c.Now()
	a, known := s.verified.get(hash, now)
	if !known {
		var err error
		if a, err = s.read(r.Context(), raw, audience); err != nil {
			return accessClaims{}, refuse(invalidToken, "The access token is not good here.")
		}
		s.verified.put(hash, a)
	}
	if a.Audience != audience {
		return accessClaims{}, refuse(invalidToken, "The access token is not good here.")
	}
	switch {
	case a.Bound == nil && strings.EqualFold(scheme, "Bearer"):
		return a, nil
	case a.Bound == nil || !strings.EqualFold(scheme, "DPoP"):
		return accessClaims{}, refuse(invalidToken, "An access token is shown as it is bound: with a DPoP proof, or without.")
	}
	thumbprint, err := s.proof(r, raw, a)
	if err != nil {
		return accessClaims{}, err
	}
	if thumbprint != a.Bound.Thumbprint { // there is no proof
		return accessClaims{}, refuse(invalidToken, "The request does not prove that it has the key of its access token.")
	}
	return a, nil
}

// challenge words a refusal for an API: a problem, which carries the challenge of RFC 9449 section 7.1.
func challenge(err error) error {
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	told := *refused
	told.scheme = "DPoP"
	return problem.Wrap(&told, problem.SignInNeeded, "%s", refused.text)
}
