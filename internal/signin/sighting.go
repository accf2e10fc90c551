package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// graphScopes ask for a token with which Graph says who one is and in which groups. A scope without a resource is
// Graph's, in every cloud.
const graphScopes = "openid profile email offline_access User.Read"

// memberships are the claims that a Sighting is made of.
type memberships struct {
	Mail   string          `json:"email"`
	Groups []string        `json:"groups"`
	Roles  []string        `json:"roles"`
	More   json.RawMessage `json:"hasgroups"` // true, in some tokens as a string
}

func (s *Service) sighting(user identity.UserID, c claims, token *oidc.IDToken, graph func(context.Context) (string, error)) (signedin.Sighting, error) {
	var m memberships
	if err := token.Claims(&m); err != nil {
		return signedin.Sighting{}, fmt.Errorf("read groups and roles of an ID token: %w", err)
	}
	more := string(m.More) == "true" || string(m.More) == `"true"`
	if more {
		m.Groups = nil
	}
	return signedin.Sighting{User: user, Name: c.Name, UserName: c.UserName, Mail: m.Mail, Groups: m.Groups, Roles: m.Roles, More: more, Token: graph}, nil
}

// see tells whoever keeps a directory of sign-ins what the token of a new one says. It is told before there is a session:
// nobody is let in with the groups of an earlier time.
func (s *Service) see(ctx context.Context, user identity.UserID, c claims, token *oidc.IDToken, refresh string) error {
	if s.c.Seen == nil {
		return nil
	}
	if refresh == "" {
		return problem.New(problem.Denied, "The tenant gave no refresh token, so your groups could not be read again later and you were not signed in. Ask your administrator to allow offline_access.")
	}
	seen, err := s.sighting(user, c, token, func(ctx context.Context) (string, error) {
		tenant, err := s.tenant(ctx)
		if err != nil {
			return "", err
		}
		answer, err := s.askAgain(ctx, tenant, refresh)
		return answer.AccessToken, err
	})
	if err == nil {
		err = s.c.Seen(ctx, seen)
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "Your groups could not be read, so you were not signed in. Try again in a moment.")
	}
	return nil
}

// Again reads anew, with the refresh token of a sign-in, what the tenant says of its person now. Where the tenant no
// longer honours it, the sign-in has ended when this returns.
func (s *Service) Again(ctx context.Context, id identity.SignInID) (signedin.Sighting, error) {
	tenant, err := s.tenant(ctx)
	if err != nil {
		return signedin.Sighting{}, err
	}
	signIn, ok := s.c.Sessions.Set().SignIn(id)
	if !ok || !signIn.Ended.IsZero() {
		return signedin.Sighting{}, signedin.ErrEnded
	}
	refresh, err := s.c.Sealer.Open(RefreshAD(signIn.User), signIn.Refresh)
	if err != nil {
		return signedin.Sighting{}, problem.Wrap(err, problem.Unavailable, "Your sign-in's refresh token cannot be read any more. Sign in again.")
	}
	answer, err := s.askAgain(ctx, tenant, string(refresh))
	if err != nil {
		err = s.noToken(ctx, signIn, err)
		if now, ok := s.c.Sessions.Set().SignIn(id); ok && !now.Ended.IsZero() {
			err = signedin.ErrEnded
		}
		return signedin.Sighting{}, err
	}
	if answer.RefreshToken != "" && answer.RefreshToken != string(refresh) {
		s.renew(ctx, signIn, answer.RefreshToken)
	}
	token, err := tenant.verify(oidc.ClientContext(ctx, s.c.HTTP), answer.IDToken)
	if err != nil {
		return signedin.Sighting{}, fmt.Errorf("read an ID token anew: %w", err)
	}
	user, c, err := s.person(token, token.Nonce) // asked for by us, not by a browser
	if err != nil {
		return signedin.Sighting{}, err
	}
	if user != signIn.User {
		return signedin.Sighting{}, errors.New("the tenant answered for somebody else")
	}
	return s.sighting(user, c, token, func(context.Context) (string, error) { return answer.AccessToken, nil })
}

// askAgain redeems a refresh token for an ID token and one for Graph.
func (s *Service) askAgain(ctx context.Context, tenant *provider, refresh string) (credential.Answer, error) {
	return s.c.Tenant.Credential.Token(ctx, s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {graphScopes},
	})
}
