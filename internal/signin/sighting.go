package signin

import (
	"context"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// graphScopes ask for a token with which Graph says who one is and in which groups. A scope without a resource is
// Graph's, in every cloud.
const graphScopes = "openid profile email offline_access User.Read"

func sighting(user identity.UserID, c claims, graph func(context.Context) (string, error)) signedin.Sighting {
	more := string(c.More) == "true" || string(c.More) == `"true"`
	if more {
		c.Groups = nil
	}
	return signedin.Sighting{User: user, Name: c.Name, UserName: c.UserName, Mail: c.Mail, Groups: c.Groups, Roles: c.Roles, More: more, Token: graph}
}

// see tells whoever keeps a directory of sign-ins what the token of a new one says. It is told before there is a session:
// nobody is let in with the groups of an earlier time.
func (s *Service) see(ctx context.Context, user identity.UserID, c claims, refresh string) error {
	if s.c.Seen == nil {
		return nil
	}
	if refresh == "" {
		return problem.New(problem.Denied, "The tenant gave no refresh token, so your groups could not be read again later and you were not signed in. Ask your administrator to allow offline_access; some providers give it only with `prompt: consent`.")
	}
	err := s.c.Seen(ctx, sighting(user, c, func(ctx context.Context) (string, error) {
		tenant, err := s.tenant(ctx)
		if err != nil {
			return "", err
		}
		answer, err := s.askAgain(ctx, tenant, refresh)
		return answer.AccessToken, err
	}))
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
	c, err := s.identifiedAgain(ctx, tenant, answer, signIn.User)
	if err != nil {
		return signedin.Sighting{}, err
	}
	return sighting(signIn.User, c, func(context.Context) (string, error) { return answer.AccessToken, nil }), nil
}

// askAgain redeems a refresh token for an ID token and one for Graph, or UserInfo.
func (s *Service) askAgain(ctx context.Context, tenant *provider, refresh string) (credential.Answer, error) {
	return s.c.Tenant.Credential.Token(ctx, s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {s.dialect.again()},
	})
}
