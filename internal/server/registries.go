package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/guard"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Registries are how a runtime reaches registries of images.
type Registries struct {
	Transport http.RoundTripper
	Plain     []string // hosts that may be spoken to without TLS
}

// registries reach those that lanyard.yaml names wherever they stand, and all others on the public internet alone, whatever
// a repository's file or a registry's answer names. Where one registry may send, no other may.
func (s *Server) registries() Registries {
	all := Registries{}
	ways := ways{named: map[string]*http.Transport{}, other: s.registryWay(nil)}
	for _, r := range s.options.Registries {
		trusted := map[string]bool{} // with the port: what else listens there is nobody's to be sent to
		if r.PlainHTTP {
			all.Plain = append(all.Plain, r.Host)
			trusted[withPort(r.Host, "80")] = true
		}
		for _, host := range append([]string{r.Host}, r.Also...) {
			trusted[withPort(host, "443")] = true
		}
		ways.named[strings.ToLower(r.Host)] = s.registryWay(trusted)
	}
	all.Transport = ways
	return all
}

// ways are the connections to registries, for each that lanyard.yaml names its own: one that was made for a registry which may send
// inside is never used for another.
type ways struct {
	named map[string]*http.Transport // by the host that is asked
	other *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (w ways) RoundTrip(r *http.Request) (*http.Response, error) {
	if way, ok := w.named[strings.ToLower(guard.Registry(r.Context()))]; ok {
		return way.RoundTrip(r)
	}
	return w.other.RoundTrip(r)
}

// CloseIdleConnections is for who asks once.
func (w ways) CloseIdleConnections() {
	w.other.CloseIdleConnections()
	for _, way := range w.named {
		way.CloseIdleConnections()
	}
}

// registryWay reaches the public internet, and what is trusted: host:port in lower case.
func (s *Server) registryWay(trusted map[string]bool) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, text, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				return nil, err
			}
			ip := net.ParseIP(host)
			if trusted[strings.ToLower(address)] || s.options.LocalRegistries && (host == "localhost" || ip != nil && ip.IsLoopback()) {
				return Dial(ctx, network, address)
			}
			conn, err := s.upstream.DialOut(ctx, host, port)
			if problem.KindOf(err) == problem.Denied {
				return nil, problem.New(problem.Denied, "%s is not reached for images, since it is not on the public internet and lanyard.yaml does not name it for the registry that is asked. An administrator can: under `registries`, as a `host`, or as one of that host's `also` where the registry sends there.", address)
			}
			return conn, err
		},
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute,
	}
}

// withPort is a host as an address to dial: with the port that it says, or the usual one.
func withPort(host, usual string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, usual)
	}
	return strings.ToLower(host)
}

// registryCredential is what the server has for pulling an image for a project's workspace; empty: nothing.
func (s *Server) registryCredential(ref, project string) (user, password string, err error) {
	r, err := image.ParseReference(ref)
	if err != nil {
		return "", "", err
	}
	for _, known := range s.options.Registries {
		if known.Host != r.Host() || known.BasicFile == "" || known.Projects != nil && !slices.Contains(known.Projects, project) {
			continue
		}
		secret, err := config.ReadSecret(known.BasicFile)
		if err == nil {
			if user, password, ok := strings.Cut(secret, ":"); ok && user != "" {
				return user, password, nil
			}
			err = fmt.Errorf("%s is not of the form user:password", known.BasicFile)
		}
		s.log.Error("a registry's credential cannot be used", "registry", known.Host, "error", err)
		return "", "", problem.Wrap(err, problem.BadUpstream, "Lanyard cannot use its credential for the registry %s; an administrator has to look at the file that lanyard.yaml names.", known.Host)
	}
	return "", "", nil
}
