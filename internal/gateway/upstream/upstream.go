// Package upstream dials what stands behind the gateway, and is the only holder of the credentials for it.
//
// All upstreams come from project files, which administrators write; a host in them may well be on a private
// network. What no project file can reach are link-local and metadata addresses, and a name is checked after it was
// resolved and dialled by the address that was checked, so that an answer of the DNS cannot lead elsewhere.
package upstream

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/observe"
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
	// Apps and Connections may be nil where no credential needs them.
	Apps        AppTokens
	Connections Connections
	Log         *slog.Logger
	// Resolver is nil for the system's.
	Resolver *net.Resolver
	// Roots are who an upstream's certificate may be from; nil for whom the system trusts.
	Roots *x509.CertPool
}

// Upstream sends requests to upstreams.
type Upstream struct {
	names    map[string]Address
	tokens   PersonTokens
	apps     AppTokens
	connects Connections
	log      *slog.Logger
	resolver *net.Resolver
	roots    *x509.CertPool
	adding   sync.Mutex // of pools
	pools    atomic.Pointer[map[way]*http.Transport]
}

// New returns an Upstream with no connections yet.
func New(c Config) *Upstream {
	u := &Upstream{names: c.Names, tokens: c.Tokens, apps: c.Apps, connects: c.Connections, log: c.Log, resolver: c.Resolver, roots: c.Roots}
	if u.resolver == nil {
		u.resolver = net.DefaultResolver
	}
	return u
}

// Close closes the connections that are idle.
func (u *Upstream) Close() {
	if pools := u.pools.Load(); pools != nil {
		for _, t := range *pools {
			t.CloseIdleConnections()
		}
	}
}

// Target is an upstream as one request means it.
type Target struct {
	Name       string // for messages: "the repository …", "the app …"
	Principal  identity.Principal
	Credential project.Credential
	Write      bool                // the request may change something: a token that can be limited is limited to what is asked
	Connection *project.Connection // nil: HTTP/1.1, and any time to answer
	Upgrade    bool                // the request wants to upgrade its connection, which takes HTTP/1.1
}

// Send sends r, whose context ends it, with the target's credential, and returns the answer as it is; redirects are
// not followed. r.Header must hold nothing that identifies the caller otherwise; an Authorization header in it is
// replaced or removed. Errors are problem.BadUpstream or problem.SlowUpstream and say whose fault it is; they never hold the credential.
func (u *Upstream) Send(r *http.Request, t Target) (*http.Response, error) {
	r.Header.Del("Authorization")
	authorization, err := u.authorization(r, t)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	record := observe.From(r.Context())
	if record != nil {
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { record.Reach(observe.Connected) },
		}))
	}
	resp, err := u.by(wayOf(t.Connection, t.Upgrade)).RoundTrip(r)
	record.Reach(observe.FirstByte)
	if err != nil {
		return nil, u.failed(r, t, err)
	}
	if resp.StatusCode == http.StatusUnauthorized && authorization != "" {
		resp.Body.Close()
		return nil, u.refused(r, t)
	}
	return resp, nil
}
