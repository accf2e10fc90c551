// Package browser is a web browser without a screen, for one person: it keeps their cookies in memory, follows
// redirects, sends the tenant's sign-in form, and reaches the sites of one machine (*.localhost), and no other host.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Browser is one person's browser. Its methods may be called concurrently.
type Browser struct {
	http *http.Client
}

// New returns a browser without cookies.
func New() *Browser {
	return &Browser{http: &http.Client{
		Jar:       &jar{},
		Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 20 {
				return errors.New("the pages redirect in a circle")
			}
			r.Header.Del("Origin") // it was the form's; what it leads to is a plain visit
			return nil
		},
	}}
}

// Close ends idle connections.
func (b *Browser) Close() { b.http.CloseIdleConnections() }

// HTTP is a client that sends the person's cookies.
func (b *Browser) HTTP() *http.Client { return b.http }

// WebSocket opens a WebSocket as a page of the same site does. The caller closes it.
func (b *Browser) WebSocket(ctx context.Context, address string) (*websocket.Conn, *http.Response, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	return websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: b.http, HTTPHeader: http.Header{"Origin": {origin(u)}}})
}

// Visit opens a page and follows redirects. The caller closes the answer's body.
func (b *Browser) Visit(ctx context.Context, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.http.Do(r)
}

// submit sends a form's fields from page to its action.
func (b *Browser) submit(ctx context.Context, page *url.URL, f form) (*http.Response, error) {
	to, err := page.Parse(f.action)
	if err != nil {
		return nil, fmt.Errorf("the sign-in form leads to no address: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin(page))
	return b.http.Do(r)
}

func origin(u *url.URL) string {
	scheme := u.Scheme
	switch scheme { // a WebSocket's page is of the http site
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	return scheme + "://" + u.Host
}

// dial connects to this machine's loopback for localhost and *.localhost (RFC 6761, section 6.3), whatever a
// resolver says of these names, and to nothing else.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip := net.ParseIP(host); host != "localhost" && !strings.HasSuffix(host, ".localhost") && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not on this machine; signing in by --user works for `lanyard dev` only", host)
	}
	if ip := net.ParseIP(host); ip != nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}
