package signin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// AppToken is a token of Lanyard's own app registration, which stands for no person, for a scope such as
// "api://APP-ID/.default" (client credentials, RFC 6749 section 4.4).
func (s *Service) AppToken(ctx context.Context, scope string) (string, error) {
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
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "client_id": {s.c.Tenant.ClientID}, "client_secret": {s.c.Tenant.ClientSecret},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, tenant.oauth.Endpoint.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := s.c.HTTP.Do(r)
	if err != nil {
		return "", problem.Wrap(err, problem.Unavailable, "The tenant does not answer, so the app's token for this cannot be had now.")
	}
	defer answer.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body); err != nil {
		return "", problem.Wrap(err, problem.Unavailable, "The tenant's answer cannot be read, so the app's token for this cannot be had now.")
	}
	if answer.StatusCode != http.StatusOK || body.AccessToken == "" {
		return "", problem.New(problem.BadUpstream,
			"The tenant gave Lanyard's app registration no token for this (%s); an administrator has to look at its permissions.", printable(body.Error))
	}
	held.token, held.renews = body.AccessToken, s.c.Now().Add(time.Duration(body.ExpiresIn)*time.Second-renewBefore)
	return held.token, nil
}
