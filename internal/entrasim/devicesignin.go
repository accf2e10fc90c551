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

// SignInDevice plays a person who types the user code on the page that the app without a browser named, and signs in
// there. What the page refuses is an error with its AADSTS number.
func SignInDevice(ctx context.Context, client *http.Client, verificationURI, userCode, user, password string) error {
	form := url.Values{"code": {userCode}, "action": {"signin"}, "username": {user}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, verificationURI, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("make the sign-in request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("sign in at the tenant: %w", err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the tenant's page: %w", err)
	}
	if m := regexp.MustCompile(`id="error"[^>]*>([^<]*)<`).FindSubmatch(page); m != nil {
		return fmt.Errorf("the tenant refused the sign-in of %s: %s", user, html.UnescapeString(string(m[1])))
	}
	if !strings.Contains(string(page), `id="done"`) {
		return fmt.Errorf("the tenant answered the sign-in of %s with %s", user, answer.Status)
	}
	return nil
}
