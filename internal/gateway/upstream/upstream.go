// Package upstream dials what stands behind the gateway, and is the only holder of the credentials for it.
//
// All upstreams come from project files, which administrators write; a host in them may well be on a private
// network. What no project file can reach are link-local and metadata addresses, and a name is checked after it was
// resolved and dialled by the address that was checked, so that an answer of the DNS cannot lead elsewhere.
package upstream

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

// Address is a loopback address with a port, such as "127.0.0.1:41234".
type Address string

// PersonTokens gives access tokens of people, for upstreams that want the person and not the server.
type PersonTokens interface {
	// AccessToken returns an access token of the person at their tenant for a scope, got through the sign-in of
	// their session. It caches.
	AccessToken(ctx context.Context, p identity.Principal, scope string) (string, error)
}

// Config makes an Upstream.
type Config struct {
	// Names hands host names, with or without a port, to loopback addresses that are spoken to in plaintext
	// whatever the URL's scheme. It is given in code, by the sample world and by tests; no file can.
	Names  map[string]Address
	Tokens PersonTokens
	Log    *slog.Logger
	// Resolver is nil for the system's.
	Resolver *net.Resolver
}

// Upstream sends requests to upstreams.
type Upstream struct {
	names     map[string]Address
	tokens    PersonTokens
	log       *slog.Logger
	resolver  *net.Resolver
	transport *http.Transport
}

// New returns an Upstream with no connections yet.
func New(c Config) *Upstream {
	u := &Upstream{names: c.Names, tokens: c.Tokens, log: c.Log, resolver: c.Resolver}
	if u.resolver == nil {
		u.resolver = net.DefaultResolver
	}
	u.transport = &http.Transport{
		Proxy:              nil, // not the environment's: what is dialled is decided here
		DialContext:        u.dial,
		DialTLSContext:     u.dialTLS,
		DisableCompression: true, // bytes pass as they are
		// Many people share an upstream: the default of two idle connections a host would dial for nearly every
		// request under load.
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		WriteBufferSize:     32 << 10,
		ReadBufferSize:      32 << 10,
	}
	return u
}

// Close closes the connections that are idle.
func (u *Upstream) Close() { u.transport.CloseIdleConnections() }

// Target is an upstream as one request means it.
type Target struct {
	Name       string // for messages: "the repository …", "the app …"
	Principal  identity.Principal
	Credential project.Credential
}

// Send sends r, whose context ends it, with the target's credential, and returns the answer as it is; redirects are
// not followed. r.Header must hold nothing that identifies the caller otherwise; an Authorization header in it is
// replaced or removed. Errors are problem.BadUpstream and say whose fault it is; they never hold the credential.
func (u *Upstream) Send(r *http.Request, t Target) (*http.Response, error) {
	r.Header.Del("Authorization")
	authorization, err := u.authorization(r.Context(), t)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := u.transport.RoundTrip(r)
	if err != nil {
		return nil, u.failed(r, t, err)
	}
	if resp.StatusCode == http.StatusUnauthorized && authorization != "" {
		resp.Body.Close()
		return nil, u.refused(r, t)
	}
	return resp, nil
}
