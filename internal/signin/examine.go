package signin

import (
	"context"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/credential"
)

// Examine asks the token endpoint with each credential for what nobody has, a code that was never given: a credential
// that is taken is refused with invalid_grant and nothing else. It is an error when the provider cannot be asked.
func (s *Service) Examine(ctx context.Context) ([]credential.State, error) {
	p, err := s.tenant(ctx)
	if err != nil {
		return s.c.Tenant.Credential.States(), err
	}
	return s.c.Tenant.Credential.Examine(ctx, s.c.HTTP, p.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"authorization_code"}, "code": {random()}, "redirect_uri": {p.oauth.RedirectURL}, "code_verifier": {oauth2.GenerateVerifier()},
	})
}
