// Package probe looks at what surrounds Lanyard as it is seen from its own machine: the tenant's discovery document,
// whether the tenant knows where sign-ins return to, and how Lanyard's own addresses are reached by their names.
package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

const (
	within   = 8 * time.Second // one look
	atMost   = 1 << 20         // bytes of an answer
	wellKnow = "/.well-known/openid-configuration"
)

// Prober looks. Its fields do not change.
type Prober struct {
	HTTP *http.Client // as Lanyard speaks to the tenant
	// Dial connects by name; nil: the system's resolver.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS says whom to trust for Lanyard's own addresses; nil: whom the system trusts.
	TLS *tls.Config
}

// Discovery reads a provider's discovery document and its keys.
func (p Prober) Discovery(ctx context.Context, issuer, tokenURL string) api.DiscoveryHealth {
	d := api.DiscoveryHealth{URL: issuer + wellKnow, Wanted: issuer, WantedToken: tokenURL}
	var doc struct {
		Issuer     string `json:"issuer"`
		Authorize  string `json:"authorization_endpoint"`
		Token      string `json:"token_endpoint"`
		EndSession string `json:"end_session_endpoint"`
		Keys       string `json:"jwks_uri"`
	}
	res, err := p.get(ctx, d.URL, &doc)
	if res != nil {
		d.Status = res.StatusCode
		if date, bad := http.ParseTime(res.Header.Get("Date")); bad == nil {
			d.SkewSeconds = date.Sub(time.Now().Truncate(time.Second)).Seconds()
		}
	}
	if err != nil {
		d.Problem = err.Error()
		return d
	}
	d.Issuer, d.Authorize, d.Token, d.EndSession = doc.Issuer, doc.Authorize, doc.Token, doc.EndSession
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if !asked(issuer, doc.Keys) {
		return d
	}
	if _, err := p.get(ctx, doc.Keys, &set); err == nil {
		d.Keys = len(set.Keys)
	}
	return d
}

// asked reports whether an address that a discovery document names may be asked: https, and http only where the issuer's
// is; without a user name.
func asked(issuer, address string) bool {
	from, err := url.Parse(issuer)
	to, bad := url.Parse(address)
	return err == nil && bad == nil && to.Host != "" && to.User == nil && (to.Scheme == "https" || to.Scheme == "http" && from.Scheme == "http")
}

// still is a client that follows no redirect.
func (p Prober) still() *http.Client {
	still := *p.HTTP
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &still
}

// get reads a JSON document. The answer's body is closed.
func (p Prober) get(ctx context.Context, address string, v any) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("its address is no URL")
	}
	r.Header.Set("Accept", "application/json")
	res, err := p.still().Do(r)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, atMost))
	if err != nil {
		return res, err
	}
	if res.StatusCode != http.StatusOK {
		var refused struct {
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(body, &refused)
		if refused.Description != "" {
			return res, errors.New(firstLine(refused.Description))
		}
		return res, fmt.Errorf("it answered %d", res.StatusCode)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return res, errors.New("it is no JSON document")
	}
	return res, nil
}

func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
