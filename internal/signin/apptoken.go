package signin

import (
	"context"
	"errors"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// AppToken is a token of Lanyard's own app registration, which stands for no person, for a scope such as
// "api://APP-ID/.default" (client credentials, RFC 6749 section 4.4).
func (s *Service) AppToken(ctx context.Context, scope string) (string, error) {
	if err := s.onlyEntra(); err != nil {
		return "", err
	}
	held := s.tokens.at(tokenKey{scope: scope}) // no sign-in
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.token != "" && s.c.Now().Before(held.renews) {
		return held.token, nil
	}
	tenant, err := s.tenant(ctx)
	if err != nil {
		return "", err
	}
	answer, err := s.c.Tenant.Credential.Token(ctx, s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
	})
	var refused *credential.Refused
	switch {
	case errors.As(err, &refused) && refused.OAuth != "":
		return "", problem.Wrap(err, problem.BadUpstream,
			"The tenant gave Lanyard's app registration no token for this (%s); an administrator has to look at its permissions.", printable(refused.OAuth))
	case err != nil:
		return "", problem.Wrap(err, problem.Unavailable, "The tenant does not answer, so the app's token for this cannot be had now.")
	}
	held.token, held.renews = answer.AccessToken, s.c.Now().Add(answer.Life()-renewBefore)
	return held.token, nil
}
