package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	answerAtMost = 1 << 20 // bytes
	askAtMost    = 30 * time.Second
)

// Answer is what the token endpoint gave (RFC 6749, section 5.1).
type Answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"` // empty without offline_access
	IDToken      string `json:"id_token"`      // empty without openid
	ExpiresIn    int64  `json:"expires_in"`    // seconds
	Scope        string `json:"scope"`
}

// Life is how long the access token holds.
func (a Answer) Life() time.Duration { return time.Duration(a.ExpiresIn) * time.Second }

// ask posts a token request. No redirect is followed: the form, or the header, holds what proves who we are.
func ask(ctx context.Context, web *http.Client, endpoint string, form url.Values, secretInHeader bool) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	sent, secretInHeader := form, secretInHeader && form.Has("client_secret")
	if secretInHeader {
		sent = maps.Clone(form)
		sent.Del("client_id")
		sent.Del("client_secret")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(sent.Encode()))
	if err != nil {
		return Answer{}, errors.New("the address of the token endpoint is no URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if secretInHeader {
		r.SetBasicAuth(url.QueryEscape(form.Get("client_id")), url.QueryEscape(form.Get("client_secret")))
	}
	still := http.Client{}
	if web != nil {
		still = *web
	}
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := still.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return Answer{}, fmt.Errorf("ask the tenant for a token: %w", err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(io.LimitReader(res.Body, answerAtMost))
	if err != nil {
		return Answer{}, fmt.Errorf("read the tenant's answer to a token request: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return Answer{}, refusal(res, content, form)
	}
	var answer Answer
	if err := json.Unmarshal(content, &answer); err != nil || answer.AccessToken == "" {
		return Answer{}, errors.New("the tenant's answer to a token request holds no token")
	}
	return answer, nil
}
