package entrasim

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Person is who [SignInAs] plays.
type Person struct {
	User, Password string
	// Device is what the person says of their machine where the page asks: DeviceCompliant, DeviceJoined, or nothing.
	Device string
	// Denies does not give the second factor that a policy wants; nor a consent that is asked for.
	Denies bool
}

// SignIn plays a person who fills in the sign-in page at an authorization URL of this tenant, for
// scripts and tests that have no browser. It returns where the tenant then sends the browser: the
// redirect URI with code and state. What the page refuses is an error with its AADSTS number.
// client's cookie jar, when it has one, keeps the SSO session.
func SignIn(ctx context.Context, client *http.Client, authorizeURL, user, password string) (*url.URL, error) {
	return SignInAs(ctx, client, authorizeURL, Person{User: user, Password: password})
}

// SignInAs is SignIn for any person. A second factor and a consent that the tenant asks for are given, unless denied.
func SignInAs(ctx context.Context, client *http.Client, authorizeURL string, p Person) (*url.URL, error) {
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if once.Jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, fmt.Errorf("make a cookie jar: %w", err)
		}
		once.Jar = jar // the pages after the first know who signed in by it
	}
	form := url.Values{"action": {"signin"}, "username": {p.User}, "password": {p.Password}, "device": {p.Device}}
	for range 4 { // password, second factor, consent, and an end
		to, page, err := postForm(ctx, &once, authorizeURL, form)
		if to != nil || err != nil {
			return to, err
		}
		switch shown := regexp.MustCompile(`id="shown" data-code="(\d{6})"`).FindSubmatch(page); {
		case shown != nil && !p.Denies:
			form = url.Values{"action": {"mfa"}, "code": {string(shown[1])}}
		case shown != nil:
			form = url.Values{"action": {"mfa"}, "deny": {"yes"}}
		case strings.Contains(string(page), `id="permissions"`) && p.Denies:
			form = url.Values{"action": {"decline"}}
		case strings.Contains(string(page), `id="permissions"`):
			form = url.Values{"action": {"accept"}}
		default:
			if m := regexp.MustCompile(`id="error"[^>]*>([^<]*)<`).FindSubmatch(page); m != nil {
				return nil, fmt.Errorf("the tenant refused the sign-in of %s: %s", p.User, html.UnescapeString(string(m[1])))
			}
			return nil, fmt.Errorf("the tenant answered the sign-in of %s with a page that is not known", p.User)
		}
	}
	return nil, fmt.Errorf("the tenant asks %s again and again", p.User)
}

// postForm sends a form of the sign-in pages: it leads elsewhere, or to another page.
func postForm(ctx context.Context, client *http.Client, address string, form url.Values) (*url.URL, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("make the sign-in request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("sign in at the tenant: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusFound {
		to, err := answer.Location()
		return to, nil, err
	}
	page, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("read the tenant's page: %w", err)
	}
	return nil, page, nil
}
