package signin

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// tokenCache keeps the access tokens redeemed for people, in memory only.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[tokenKey]*cachedToken
}

type tokenKey struct {
	signIn identity.SignInID
	scope  string
}

// cachedToken is held while it is redeemed, so that many requests of one person redeem once.
type cachedToken struct {
	mu     sync.Mutex
	token  string
	renews time.Time
}

// renewBefore is how long before its expiry a token is not used any more.
const renewBefore = 5 * time.Minute

// AccessToken is the person's own token for a scope such as "<app>/.default": the refresh token of the sign-in that
// the principal's session hangs below is redeemed for it at the tenant.
func (s *Service) AccessToken(ctx context.Context, p identity.Principal, scope string) (string, error) {
	_, signIn, dead := s.c.Sessions.Set().Live(p.Session, s.c.Now())
	if dead != "" {
		return "", problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	if len(signIn.Refresh) == 0 {
		return "", problem.New(problem.Denied, "The tenant gave no refresh token at your sign-in, so your own token cannot be had for this. Ask your administrator to allow offline_access.")
	}
	if err := s.onlyEntra(); err != nil {
		return "", err
	}
	held := s.tokens.at(tokenKey{signIn.ID, scope})
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.token != "" && s.c.Now().Before(held.renews) {
		return held.token, nil
	}
	token, life, err := s.redeem(ctx, signIn.ID, scope)
	if err != nil {
		return "", err
	}
	held.token, held.renews = token, s.c.Now().Add(life-renewBefore)
	return token, nil
}

func (c *tokenCache) at(k tokenKey) *cachedToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[tokenKey]*cachedToken{}
	}
	t := c.tokens[k]
	if t == nil {
		t = &cachedToken{}
		c.tokens[k] = t
	}
	return t
}

// Forget drops the tokens of sign-ins that have ended, and tells the audit log of refusals that were only counted; the
// server calls it from time to time.
func (s *Service) Forget() {
	s.refusals.flush(s.c.Now())
	set := s.c.Sessions.Set()
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	for k := range s.tokens.tokens {
		if k.signIn == "" { // the app's own
			continue
		}
		if signIn, ok := set.SignIn(k.signIn); !ok || !signIn.Ended.IsZero() {
			delete(s.tokens.tokens, k)
		}
	}
}

// redeem asks the tenant. x/oauth2's refresh is not used: it asks for the scopes of the sign-in, not for another
// resource's.
func (s *Service) redeem(ctx context.Context, id identity.SignInID, scope string) (string, time.Duration, error) {
	tenant, err := s.tenant(ctx)
	if err != nil {
		return "", 0, err
	}
	signIn, ok := s.c.Sessions.Set().SignIn(id) // read again: the token may have been renewed meanwhile
	if !ok {
		return "", 0, problem.New(problem.SignInNeeded, "Sign in first: the sign-in has ended.")
	}
	refresh, err := s.c.Sealer.Open(RefreshAD(signIn.User), signIn.Refresh)
	if err != nil {
		return "", 0, problem.Wrap(err, problem.Unavailable, "Your sign-in's refresh token cannot be read any more. Sign in again.")
	}
	answer, err := s.c.Tenant.Credential.Token(ctx, s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {string(refresh)}, "scope": {scope + " offline_access"},
	})
	if err != nil {
		return "", 0, s.noToken(ctx, signIn, err)
	}
	if answer.RefreshToken != "" && answer.RefreshToken != string(refresh) {
		s.renew(ctx, signIn, answer.RefreshToken)
	}
	return answer.AccessToken, answer.Life(), nil
}

func (s *Service) renew(ctx context.Context, signIn *session.SignIn, refresh string) {
	sealed := s.c.Sealer.Seal(RefreshAD(signIn.User), []byte(refresh))
	if err := s.c.Sessions.Renew(ctx, signIn.ID, sealed); err != nil { // the old one goes on working: Entra does not revoke it
		s.c.Log.Warn("a renewed refresh token could not be kept", "user", signIn.User, "error", err)
	}
}
