package connection

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxAnswer bounds what is read of a host's answer; maxSecret a secret's file.
const (
	maxAnswer = 1 << 20
	maxSecret = 64 << 10
)

// errRefused is a code or a refresh token that the host does not take.
var errRefused = errors.New("the host refused what was redeemed")

// redeem asks for a person's tokens ("Generating a user access token for a GitHub App", "Refreshing user access tokens").
// Errors come with status 200 and the key error.
func (s *Service) redeem(ctx context.Context, a App, form url.Values) (tokens, error) {
	secret, err := s.secret(a, a.SecretFile)
	if err != nil {
		return tokens{}, err
	}
	form.Set("client_id", a.ClientID)
	form.Set("client_secret", string(secret))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/login/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var body struct {
		AccessToken      string `json:"access_token"`
		ExpiresIn        int64  `json:"expires_in"`
		RefreshToken     string `json:"refresh_token"`
		RefreshExpiresIn int64  `json:"refresh_token_expires_in"`
		TokenType        string `json:"token_type"`
		Error            string `json:"error"`
	}
	status, err := s.call(a, r, &body)
	if err != nil {
		return tokens{}, err
	}
	switch {
	case body.Error == "bad_refresh_token" || body.Error == "bad_verification_code":
		return tokens{}, problem.Wrap(errRefused, problem.Denied, "%s did not take what it gave itself (%s). Connect again.", a.host(), body.Error)
	case body.Error != "" || status != http.StatusOK || body.AccessToken == "" || !strings.EqualFold(body.TokenType, "bearer"):
		return tokens{}, problem.New(problem.BadUpstream, "%s gave no token (%s); an administrator has to look at the GitHub App %s.",
			a.host(), code(body.Error, status), a.Name)
	case body.ExpiresIn <= 0 || body.RefreshToken == "":
		return tokens{}, problem.New(problem.BadUpstream,
			"%s gave a token that never ends; an administrator has to turn on expiring user tokens for the GitHub App %s.", a.host(), a.Name)
	}
	now := s.c.Now()
	return tokens{
		Access: body.AccessToken, AccessEnds: now.Add(time.Duration(body.ExpiresIn) * time.Second),
		Refresh: body.RefreshToken, RefreshEnds: now.Add(time.Duration(body.RefreshExpiresIn) * time.Second),
	}, nil
}

// code is what may be shown of an error's code, which came from outside.
func code(s string, status int) string {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' || i > 60 {
			return fmt.Sprintf("status %d", status)
		}
	}
	if s == "" {
		return fmt.Sprintf("status %d", status)
	}
	return s
}

// account asks whose token it is.
func (s *Service) account(ctx context.Context, a App, token string) (login, id string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.API+"/user", nil)
	if err != nil {
		return "", "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	var body struct {
		Login string      `json:"login"`
		ID    json.Number `json:"id"`
	}
	status, err := s.call(a, r, &body)
	if err != nil {
		return "", "", err
	}
	if status != http.StatusOK || body.Login == "" || len(body.Login) > 100 {
		return "", "", problem.New(problem.BadUpstream, "%s does not say whose token it gave (status %d). Connect again.", a.host(), status)
	}
	return body.Login, body.ID.String(), nil
}

// withdraw tells the host that a person's token is not wanted any more ("Delete an app token").
func (s *Service) withdraw(ctx context.Context, a App, token string) error {
	secret, err := s.secret(a, a.SecretFile)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, a.API+"/applications/"+url.PathEscape(a.ClientID)+"/token", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(a.ClientID, string(secret))
	status, err := s.call(a, r, nil)
	if err == nil && status != http.StatusNoContent && status != http.StatusNotFound {
		err = fmt.Errorf("the host answers with status %d", status)
	}
	return err
}

// call sends a request to the app's host and reads the answer's JSON into v. The error is one for people.
func (s *Service) call(a App, r *http.Request, v any) (status int, err error) {
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	r.Header.Set("User-Agent", "lanyard")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	resp, err := s.c.HTTP.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may say more than it should
		}
		return 0, problem.Wrap(err, problem.Unavailable, "%s does not answer. Try again in a moment.", a.host())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, problem.Wrap(err, problem.Unavailable, "%s broke off its answer. Try again in a moment.", a.host())
	}
	if v != nil && len(text) > 0 {
		if err := json.Unmarshal(text, v); err != nil && resp.StatusCode < 300 {
			return 0, problem.New(problem.BadUpstream, "%s answers what cannot be understood.", a.host())
		}
	}
	return resp.StatusCode, nil
}

// secret reads a file when it is needed: a changed one holds at once.
func (s *Service) secret(a App, file string) ([]byte, error) {
	secret, err := os.ReadFile(file)
	secret = bytes.TrimSpace(secret)
	if err == nil && (len(secret) == 0 || len(secret) > maxSecret) {
		err = errors.New("it holds no secret")
	}
	if err != nil {
		s.c.Log.Error("a secret of a GitHub App cannot be used", "app", a.Name, "file", file, "error", err)
		return nil, problem.Wrap(err, problem.BadUpstream,
			"Lanyard cannot use the secrets of the GitHub App %s; an administrator has to look at the files that the configuration names.", a.Name)
	}
	return secret, nil
}
