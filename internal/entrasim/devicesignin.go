package entrasim

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// SignInDevice plays a person who types the user code on the page that the app without a browser named, and signs in
// there. What the page refuses is an error with its AADSTS number.
func SignInDevice(ctx context.Context, client *http.Client, verificationURI, userCode, user, password string) error {
	return SignInDeviceAs(ctx, client, verificationURI, userCode, Person{User: user, Password: password})
}

// SignInDeviceAs is SignInDevice for any person. A second factor that the tenant asks for is given, unless denied.
func SignInDeviceAs(ctx context.Context, client *http.Client, verificationURI, userCode string, p Person) error {
	once := *client
	if once.Jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return fmt.Errorf("make a cookie jar: %w", err)
		}
		once.Jar = jar // the page after the first knows who signed in by it
	}
	form := url.Values{"code": {userCode}, "action": {"signin"}, "username": {p.User}, "password": {p.Password}, "device": {p.Device}}
	for range 3 { // password, second factor, and an end
		_, page, err := postForm(ctx, &once, verificationURI, form)
		if err != nil {
			return err
		}
		shown := regexp.MustCompile(`id="shown" data-code="(\d{6})"`).FindSubmatch(page)
		switch m := regexp.MustCompile(`id="error"[^>]*>([^<]*)<`).FindSubmatch(page); {
		case m != nil:
			return fmt.Errorf("the tenant refused the sign-in of %s: %s", p.User, html.UnescapeString(string(m[1])))
		case shown != nil && p.Denies:
			form = url.Values{"code": {userCode}, "action": {"mfa"}, "factor": {"000000x"}}
		case shown != nil:
			form = url.Values{"code": {userCode}, "action": {"mfa"}, "factor": {string(shown[1])}}
		case strings.Contains(string(page), `id="done"`):
			return nil
		default:
			return fmt.Errorf("the tenant answered the sign-in of %s with a page that is not known", p.User)
		}
	}
	return fmt.Errorf("the tenant asks %s again and again", p.User)
}
