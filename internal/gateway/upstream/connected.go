package upstream

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// AppTokens gives tokens of Lanyard's own app registration at the tenant.
type AppTokens interface {
	// AppToken returns an access token of the app itself for a scope that ends with /.default. It caches.
	AppToken(ctx context.Context, scope string) (string, error)
}

// Connections gives tokens of people and of installations at Git hosts, which go to the host that gave them and to no
// other. Its errors say what to do, and where to connect.
type Connections interface {
	UserToken(ctx context.Context, p identity.Principal, app, host string) (string, error)
	InstallationToken(ctx context.Context, app string, repository *url.URL, write bool) (string, error)
	// Refused is told that a person's token was not taken, and says so to them.
	Refused(ctx context.Context, p identity.Principal, app string) error
	ForgetInstallation(app string, repository *url.URL)
}

// connected returns the value of the Authorization header for the credentials of a GitHub App; ok is false for others.
// Git hosts take such tokens as the password of any user.
func (u *Upstream) connected(r *http.Request, t Target) (value string, ok bool, err error) {
	c := t.Credential
	if c.GitHubUser == "" && c.GitHubApp == "" {
		return "", false, nil
	}
	if u.connects == nil {
		return "", true, problem.New(problem.BadUpstream, "Lanyard has no GitHub App; an administrator has to write it into the configuration.")
	}
	var token string
	if c.GitHubUser != "" {
		token, err = u.connects.UserToken(r.Context(), t.Principal, c.GitHubUser, r.URL.Host)
	} else {
		token, err = u.connects.InstallationToken(r.Context(), c.GitHubApp, repositoryOf(r.URL), t.Write)
	}
	if err != nil {
		return "", true, err
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token)), true, nil
}

// disconnected is what to say of an answer 401 to a token of a GitHub App; nil for other credentials.
func (u *Upstream) disconnected(r *http.Request, t Target) error {
	switch c := t.Credential; {
	case c.GitHubUser != "":
		return u.connects.Refused(r.Context(), t.Principal, c.GitHubUser)
	case c.GitHubApp != "":
		u.connects.ForgetInstallation(c.GitHubApp, repositoryOf(r.URL))
	}
	return nil
}

// repositoryOf is the address of the repository that a request of Git is for: the first two segments of its path.
func repositoryOf(u *url.URL) *url.URL {
	path := u.Path
	for i, slashes := 0, 0; i < len(path); i++ {
		if path[i] == '/' {
			if slashes++; slashes == 3 {
				path = path[:i]
			}
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}
}

// Fetch sends a request of Lanyard's own to a Git host, dialled as every upstream is: by an address that was checked. It
// follows no redirect.
func (u *Upstream) Fetch(r *http.Request) (*http.Response, error) {
	return u.by(wayOf(nil, false)).RoundTrip(r)
}
