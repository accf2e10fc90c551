package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// dialect is what Entra and other OpenID providers say in different words.
type dialect interface {
	scopes() []string
	// again are the scopes with which a refresh token is redeemed for what the provider says of its person now.
	again() string
	// algorithms are those that an ID token may be signed with, of those that the discovery document lists.
	algorithms(listed []string) []string
	// sources is the claim that, where it is said elsewhere (`_claim_names`), makes a person one of too many groups.
	sources() string
	// options are sent with a sign-in beside what the standard wants; context is the authentication context that it is to
	// show, or empty; prompt what the provider is to ask this time, or empty.
	options(context, prompt string) []oauth2.AuthCodeOption
	// person makes the user of claims whose signature, issuer, audience and times were checked. access is the access token
	// that came with them.
	person(ctx context.Context, p *provider, said map[string]json.RawMessage, token *oidc.IDToken, access string) (identity.UserID, claims, error)
	// anew makes the user of an answer to a refresh token that has no ID token, which is optional there (OpenID Connect
	// Core, section 12.2).
	anew(ctx context.Context, p *provider, subject string, access string) (identity.UserID, claims, error)
}

func dialectOf(c Config) dialect {
	if c.Tenant.OIDC != nil {
		return generic{tenant: c.Tenant, http: c.HTTP, now: c.Now}
	}
	return entra{tenant: c.Tenant.ID}
}

// refusedToken is how an ID token is refused that verifies.
func refusedToken(why string) error {
	return problem.New(problem.Denied, "The tenant's answer was refused: %s.", why)
}

// identified checks the ID token that was given for a code, and says whose it is. nonce is that of the sign-in that the
// browser began. Another provider than Entra, asked with max_age, has to say auth_time (OpenID Connect Core, section
// 3.1.2.1); in the answer to a refresh token it need not (section 12.2).
func (s *Service) identified(ctx context.Context, p *provider, answer credential.Answer, nonce string) (*oidc.IDToken, identity.UserID, claims, error) {
	refuse := func(err error) (*oidc.IDToken, identity.UserID, claims, error) {
		return nil, identity.UserID{}, claims{}, err
	}
	token, err := p.verify(oidc.ClientContext(ctx, s.c.HTTP), answer.IDToken)
	if err != nil {
		return refuse(unverified(err, s.c.Now()))
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1 {
		return refuse(refusedToken("it does not belong to the sign-in that this browser began"))
	}
	user, c, err := s.whose(ctx, p, token, answer.AccessToken)
	if err != nil {
		return refuse(err)
	}
	if o := s.c.Tenant.OIDC; o != nil && o.MaxAge > 0 && c.AuthTime <= 0 {
		return refuse(refusedToken("its ID token does not say when you signed in there (auth_time), which it has to where that is asked for (max_age); let the provider put auth_time into the ID token"))
	}
	return token, user, c, nil
}

// identifiedAgain says what the answer to a refresh token says of its person, who must still be the same.
func (s *Service) identifiedAgain(ctx context.Context, p *provider, answer credential.Answer, is identity.UserID) (claims, error) {
	var user identity.UserID
	var c claims
	var err error
	if answer.IDToken == "" {
		user, c, err = s.dialect.anew(ctx, p, is.Object, answer.AccessToken)
	} else {
		var token *oidc.IDToken
		if token, err = p.verify(oidc.ClientContext(ctx, s.c.HTTP), answer.IDToken); err != nil {
			return claims{}, fmt.Errorf("read an ID token anew: %w", err)
		}
		user, c, err = s.whose(ctx, p, token, answer.AccessToken)
	}
	if err != nil {
		return claims{}, err
	}
	if user != is {
		return claims{}, fmt.Errorf("the tenant answered for somebody else")
	}
	return c, nil
}

func (s *Service) whose(ctx context.Context, p *provider, token *oidc.IDToken, access string) (identity.UserID, claims, error) {
	var said map[string]json.RawMessage
	if err := token.Claims(&said); err != nil {
		return identity.UserID{}, claims{}, refusedToken("its ID token cannot be read")
	}
	return s.dialect.person(ctx, p, said, token, access)
}
