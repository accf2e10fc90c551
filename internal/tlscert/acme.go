package tlscert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// LetsEncrypt is the directory of Let's Encrypt.
const LetsEncrypt = acme.LetsEncryptURL

// ACME is an authority, and what is asked of it.
type ACME struct {
	Directory string         // URL
	Hosts     []string       // at least one, in lower case, without wildcards: a certificate each
	Email     string         // that the authority writes to; may be empty
	Roots     *x509.CertPool // who vouches for the authority's own address; nil: whom the system trusts
	// KeyID and MAC are of the account at the authority that this one is bound to (RFC 8555, 7.3.4); empty: none.
	KeyID string
	MAC   []byte
}

// authority obtains certificates and renews them when a third of their life is left. autocert speaks with it; here a
// handshake is kept from waiting for that and from causing it, and it is said how it goes.
type authority struct {
	directory string
	manager   *autocert.Manager
	plain     http.Handler // answers http-01 challenges
	hosts     []*host
	log       *slog.Logger
	transport *endable
	stopped   chan struct{}
	stop      func()
}

// host is a name for which there is, or will be, a certificate.
type host struct {
	name    string
	current atomic.Pointer[tls.Certificate]
	wait    time.Duration // since it failed last; zero: it did not
	after   time.Time     // it is not tried before
}

// How long it is waited after a failure, at first and at most. Authorities count failures: Let's Encrypt takes five an
// hour for a name.
const (
	waitFirst = 2 * time.Minute
	waitMost  = time.Hour
)

func newAuthority(a ACME, cache autocert.Cache, log *slog.Logger) *authority {
	transport := &endable{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second,
		TLSClientConfig: &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12},
	}}
	out := &authority{directory: a.Directory, log: log, transport: transport, stopped: make(chan struct{})}
	for _, name := range a.Hosts {
		out.hosts = append(out.hosts, &host{name: name})
	}
	out.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: cache, Email: a.Email,
		Client:     &acme.Client{DirectoryURL: a.Directory, HTTPClient: &http.Client{Transport: transport, Timeout: 30 * time.Second}, UserAgent: "lanyard"},
		HostPolicy: func(_ context.Context, name string) error { return out.allows(name) },
	}
	if a.KeyID != "" {
		out.manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: a.KeyID, Key: a.MAC}
	}
	out.plain = out.manager.HTTPHandler(http.NotFoundHandler())
	out.stop = sync.OnceFunc(func() {
		close(out.stopped)
		transport.end()
	})
	return out
}

// allows names that a certificate is kept for; authorities of tests look at other ports than 80.
func (a *authority) allows(name string) error {
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	if slices.ContainsFunc(a.hosts, func(h *host) bool { return h.name == name }) {
		return nil
	}
	return fmt.Errorf("no certificate is kept for %q", name)
}

// certificate is the one for a name, in any case; nil when there is none.
func (a *authority) certificate(name string) *tls.Certificate {
	for _, h := range a.hosts {
		if strings.EqualFold(h.name, strings.TrimSuffix(name, ".")) {
			return h.current.Load()
		}
	}
	return nil
}

// challenge reports whether a handshake is the authority's look at who answers for a name (RFC 8737, section 3).
func challenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// keep obtains what is missing and takes over what was renewed, until it is stopped.
func (a *authority) keep() {
	tick := time.NewTicker(every / 10)
	defer tick.Stop()
	for {
		for _, h := range a.hosts {
			a.look(h, time.Now())
		}
		select {
		case <-a.stopped:
			return
		case <-tick.C:
		}
	}
}

// look asks the manager, which answers from memory unless there is no certificate.
func (a *authority) look(h *host, now time.Time) {
	if now.Before(h.after) {
		return
	}
	// One that can do ECDSA: for others it would keep a second certificate of each name.
	c, err := a.manager.GetCertificate(&tls.ClientHelloInfo{ServerName: h.name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
	select {
	case <-a.stopped:
		return
	default:
	}
	if err != nil {
		h.wait = min(max(2*h.wait, waitFirst), waitMost)
		h.after = time.Now().Add(h.wait)
		a.log.Error("no certificate was obtained", "host", h.name, "authority", a.directory, "error", err, "again", h.wait)
		return
	}
	h.wait = 0
	if old := h.current.Load(); old != nil && old.Leaf.Equal(c.Leaf) {
		return
	}
	h.current.Store(c)
	a.log.Info("a certificate was obtained", "host", h.name, "authority", a.directory, "until", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
}

// endable is a transport that does nothing any more once it was ended. autocert's requests have no end of their own.
type endable struct {
	*http.Transport
	ended atomic.Bool
}

var errEnded = errors.New("the server was stopped")

// RoundTrip implements http.RoundTripper.
func (e *endable) RoundTrip(r *http.Request) (*http.Response, error) {
	if e.ended.Load() {
		return nil, errEnded
	}
	return e.Transport.RoundTrip(r)
}

func (e *endable) end() {
	e.ended.Store(true)
	e.CloseIdleConnections()
}
