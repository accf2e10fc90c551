package issuer

import (
	"net/http"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/session"
)

// Resource indicators (RFC 8707): a client may say what its access token is for. Without one it is for Lanyard itself, or for
// learning who somebody is; with the `aud` of an audience that the client may exchange for, it is a token for that.

// checkResources refuses resources that the client gets no tokens for (RFC 8707 section 2). For the lanyard command, in whose
// name anybody may ask, that depends on the person alone and is decided when the token is made: which audiences there are is
// for nobody to learn who has not signed in.
func (s *Issuer) checkResources(c *Client, resources []string) *refusal {
	for _, resource := range resources {
		if resource != s.audience(c) && !s.reaches(c, resource) {
			return refuse(invalidTarget, "This client gets no tokens for %s.", quoted(resource))
		}
	}
	return nil
}

// reaches reports whether an `aud` is that of an audience that the client may get tokens for.
func (s *Issuer) reaches(c *Client, value string) bool {
	if c.Own {
		return value != "" && len(value) <= longestAudience
	}
	if s.c.Mint.Access == nil {
		return false
	}
	set := s.c.Mint.Facts().Projects
	return slices.ContainsFunc(c.Exchange, func(name string) bool {
		_, a, ok := set.Audience(name)
		return ok && a.Value == value
	})
}

// resource is the audience that a request at the token endpoint wants its access token for; empty: none in particular.
func (s *Issuer) resource(r *http.Request, c *Client) (string, error) {
	resources := r.PostForm["resource"]
	if refused := s.checkResources(c, resources); refused != nil {
		return "", refused
	}
	switch resources = slices.Compact(slices.Sorted(slices.Values(resources))); len(resources) {
	case 0:
		return "", nil
	case 1:
		if resources[0] == s.audience(c) {
			return "", nil
		}
		return resources[0], nil
	}
	return "", refuse(invalidTarget, "A token here has one audience; ask for one at a time.")
}

// forResource is what a client's session asks for when it names a resource.
func (s *Issuer) forResource(r *http.Request, c *Client, row *session.Session, resource string) MintRequest {
	ask := MintRequest{Principal: principalOf(row), Audience: s.named(c, resource), Client: c.ID, Key: row.Key, IP: peer(r)}
	if !c.Own {
		ask.Actor = &Act{Subject: ClientSubject(c.ID)}
	}
	return ask
}

// named is the name of the client's audience with an `aud`: several projects may have one of the same.
func (s *Issuer) named(c *Client, value string) string {
	for _, name := range c.Exchange {
		if _, a, ok := s.c.Mint.Facts().Projects.Audience(name); ok && a.Value == value {
			return name
		}
	}
	return value
}

// accessToken is the access token of a session: for the resource that the request names, or Lanyard's own.
func (s *Issuer) accessToken(r *http.Request, c *Client, row *session.Session, signIn *session.SignIn, scope []string, now time.Time) (string, time.Duration, error) {
	resource, err := s.resource(r, c)
	if err != nil {
		return "", 0, err
	}
	if resource == "" {
		return s.sign(c, row, signIn, scope, now)
	}
	minted, err := s.Mint(r.Context(), s.forResource(r, c, row, resource))
	if err != nil {
		return "", 0, targetRefused(err)
	}
	return minted.Token, minted.Expires.Sub(now), nil
}

// audiences are what a client gets tokens for beside its own, as a person is shown them.
func (s *Issuer) audiences(c *Client) (shown []string) {
	if s.c.Mint.Access == nil {
		return nil
	}
	for _, name := range c.Exchange {
		if _, a, ok := s.c.Mint.Facts().Projects.Audience(name); ok {
			shown = append(shown, a.Name+" ("+a.Value+")")
		}
	}
	return shown
}
