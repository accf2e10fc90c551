package entra

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/credential"
)

// appTokens fetches the app's own token for Graph (client credentials, RFC 6749, section 4.4).
type appTokens struct {
	app      *credential.App
	endpoint string
	scope    string
}

func newAppTokens(c Config, graph *url.URL) appTokens {
	app := c.Credential
	if app == nil {
		app = credential.Known(c.ClientID, c.Secret)
	}
	return appTokens{app: app, endpoint: c.TokenURL, scope: graph.Scheme + "://" + graph.Host + "/.default"}
}

func (a appTokens) fetch(ctx context.Context, web *http.Client) (*oauth2.Token, error) {
	answer, err := a.app.Token(ctx, web, a.endpoint, a.request())
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: answer.AccessToken, TokenType: "Bearer", Expiry: time.Now().Add(answer.Life())}, nil
}

// request asks for a token for Graph.
func (a appTokens) request() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {a.scope}}
}

func (a appTokens) examine(ctx context.Context, web *http.Client) ([]credential.State, error) {
	return a.app.Examine(ctx, web, a.endpoint, a.request())
}
