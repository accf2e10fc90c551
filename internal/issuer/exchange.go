package issuer

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// grantExchange is the grant type of token exchange (RFC 8693 section 2.1).
const grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// The types of token that are exchanged here and that are given (RFC 8693 section 3).
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// exchanged is the answer to an exchange (RFC 8693 section 2.2.1).
type exchanged struct {
	Access  string `json:"access_token"`
	Issued  string `json:"issued_token_type"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope,omitempty"`
}

// byExchange gives a token for an audience to who shows one that says for whom: a client its own access token, or a service
// a token that it was called with. With an actor token the AI agent of that acts for the person of the subject token, and has
// no more than the person and its delegation allow together; otherwise the client itself acts, and the rights are those that
// the subject token's session has. Nothing wider comes of it: neither in time, nor in scope, nor beyond the project that
// either of them is confined to.
func (s *Issuer) byExchange(r *http.Request, c *Client, key string) (any, error) {
	if !c.Own && len(c.Exchange) == 0 {
		return nil, refuse(unauthorizedClient, "This client exchanges no tokens.")
	}
	form := r.PostForm
	issue := form.Get("requested_token_type")
	if issue == "" {
		issue = typeAccessToken
	}
	if issue != typeAccessToken && issue != typeJWT {
		return nil, refuse(invalidRequest, "The requested_token_type is neither an access token nor a JWT.")
	}
	target, err := target(form)
	if err != nil {
		return nil, err
	}
	subject, err := s.subject(r, c, key)
	if err != nil {
		return nil, err
	}
	actor, err := s.actor(r, c, subject)
	if err != nil {
		return nil, err
	}
	ask, err := s.combine(c, subject, actor)
	if err != nil {
		return nil, err
	}
	if ask.Scope, err = narrowed(subject.scope, form.Get("scope")); err != nil {
		return nil, err
	}
	ask.Audience, ask.IP, ask.Key = target, peer(r), key
	if err := s.mayReach(c, subject, ask); err != nil {
		return nil, err
	}
	minted, err := s.Mint(r.Context(), ask)
	if err != nil {
		return nil, targetRefused(err)
	}
	answer := exchanged{Access: minted.Token, Issued: issue, Type: "Bearer", Expires: int(minted.Expires.Sub(s.c.Now()) / time.Second), Scope: ask.Scope}
	if key != "" {
		answer.Type = "DPoP"
	}
	return answer, nil
}

// target is the one audience that an exchange is for: by its name or value, or as a resource (RFC 8707 section 2).
func target(form url.Values) (string, error) {
	all := slices.Concat(form["audience"], form["resource"])
	for _, resource := range form["resource"] {
		if u, err := url.Parse(resource); err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return "", refuse(invalidTarget, "A resource is an absolute URI without fragment.")
		}
	}
	slices.Sort(all)
	switch all = slices.Compact(all); len(all) {
	case 0:
		return "", refuse(invalidRequest, "The request names neither an audience nor a resource.")
	case 1:
		return all[0], nil
	}
	return "", refuse(invalidTarget, "A token here has one audience; ask for one at a time.")
}

// narrowed is the scope of the new token: what is asked for, within what the subject token has where it has any.
func narrowed(had, asked string) (string, error) {
	if had == "" {
		return asked, nil
	}
	if asked == "" {
		return had, nil
	}
	within := strings.Fields(had)
	for _, one := range strings.Fields(asked) {
		if !slices.Contains(within, one) {
			return "", refuse(invalidScope, "The subject token does not have the scope %s.", quoted(one))
		}
	}
	return asked, nil
}

// mayReach says whether the client may exchange for a target, and whether the target belongs to the project that the
// subject token's holder is confined to: an actor of another project does not lead out of it. That the actor may have the
// token is for Mint to decide.
func (s *Issuer) mayReach(c *Client, subject party, ask MintRequest) error {
	d, err := s.declared(ask)
	if err != nil {
		return targetRefused(err)
	}
	if !c.Own && !slices.Contains(c.Exchange, d.Audience.Name) {
		return refuse(invalidTarget, "This client exchanges no tokens for %s.", quoted(ask.Audience))
	}
	if subject.who.Project != "" && subject.who.Project != d.Project.ID {
		return refuse(invalidTarget, "%s", absent(ask.Audience))
	}
	if ask.Principal == subject.who {
		return nil
	}
	if !s.mayHave(subject.person(), d) {
		return refuse(invalidTarget, "%s", absent(ask.Audience))
	}
	return nil
}

// mayHave reports whether somebody could have a token for an audience now.
func (s *Issuer) mayHave(who identity.Principal, d project.Declared) bool {
	return s.c.Mint.Access.May(asks(MintRequest{Principal: who}, d))
}

// targetRefused words why no token is given for a target (RFC 8693 section 2.2.2).
func targetRefused(err error) error {
	switch problem.KindOf(err) {
	case problem.Internal, problem.Unavailable:
		return err
	case problem.TooMany:
		return tooMany(problem.Message(err))
	case problem.Invalid:
		return refuse(invalidRequest, "%s", problem.Message(err))
	}
	return refuse(invalidTarget, "%s", problem.Message(err))
}
