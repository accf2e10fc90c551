package entrasim

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// SignIn plays a person who fills in the sign-in page at an authorization URL of this tenant, for
// scripts and tests that have no browser. It returns where the tenant then sends the browser: the
// redirect URI with code and state. What the page refuses is an error with its AADSTS number.
// client's cookie jar, when it has one, keeps the SSO session.
func SignIn(ctx context.Context, client *http.Client, authorizeURL, user, password string) (*url.URL, error) {
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	form := url.Values{"action": {"signin"}, "username": {user}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, authorizeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("make the sign-in request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := once.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sign in at the tenant: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusFound {
		return answer.Location()
	}
	page, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the tenant's page: %w", err)
	}
	if m := regexp.MustCompile(`id="error"[^>]*>([^<]*)<`).FindSubmatch(page); m != nil {
		return nil, fmt.Errorf("the tenant refused the sign-in of %s: %s", user, html.UnescapeString(string(m[1])))
	}
	return nil, fmt.Errorf("the tenant answered the sign-in of %s with %s", user, answer.Status)
}
