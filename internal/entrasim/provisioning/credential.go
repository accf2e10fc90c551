package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Credential authenticates the service at the endpoint.
type Credential interface {
	// bearer gives the token of the next requests; again: the last one was refused with 401.
	bearer(ctx context.Context, s *Service, again bool) (string, error)
}

// SecretToken is a long-lived bearer token.
type SecretToken string

func (t SecretToken) bearer(context.Context, *Service, bool) (string, error) { return string(t), nil }

// Client gets short-lived tokens from a token endpoint: by client credentials (RFC 6749 §4.4) when it has a Secret, by an
// assertion of the tenant's (RFC 7523 §2.2) when it has none.
type Client struct {
	TokenEndpoint string
	ID            string
	Secret        string
	Scope         string // empty: "scim"

	mu      sync.Mutex
	token   string
	expires time.Time
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func (c *Client) bearer(ctx context.Context, s *Service, again bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !again && c.token != "" && s.now().Before(c.expires) {
		return c.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "scope": {c.Scope}}
	if c.Scope == "" {
		form.Set("scope", "scim")
	}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	} else {
		assertion, err := s.source.ProvisioningAssertion(s.app)
		if err != nil {
			return "", fmt.Errorf("make an assertion: %w", err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer)
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return "", &answerError{Status: resp.StatusCode, Detail: "the token endpoint is not available"}
	case resp.StatusCode != http.StatusOK:
		return "", &answerError{Status: http.StatusUnauthorized, Detail: fmt.Sprintf("the token endpoint answered %d %s: %s", resp.StatusCode, answer.Error, answer.Description)}
	case err != nil:
		return "", fmt.Errorf("read the token endpoint's answer: %w", err)
	case answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "Bearer"):
		return "", &answerError{Status: http.StatusUnauthorized, Detail: "the token endpoint gave no bearer token"}
	}
	c.token, c.expires = answer.AccessToken, s.now().Add(time.Duration(answer.ExpiresIn)*time.Second-time.Minute)
	return c.token, nil
}
