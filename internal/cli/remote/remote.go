// Package remote is Lanyard's HTTP API as the command line reaches it: over the server's Unix socket as the operator,
// or as a person through a browser that is signed in.
package remote

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Remote is the API as one party reaches it. Its methods may be called concurrently.
type Remote struct {
	*api.Client
	// Operator is true over the server's socket.
	Operator bool
	// Browser is the person's; nil for the operator.
	Browser *browser.Browser
}

// Socket reaches the server through its Unix socket, which only its owner may open.
func Socket(path string) *Remote {
	return &Remote{
		Client: &api.Client{URL: "http://lanyard", HTTP: &http.Client{Transport: &socket{path: path, Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			},
		}}}},
		Operator: true,
	}
}

// As reaches the server at base as the person who is signed in with a browser.
func As(b *browser.Browser, base string) *Remote {
	return &Remote{Client: &api.Client{URL: base, HTTP: b.HTTP()}, Browser: b}
}

// Over reaches the server at base by a transport that says who asks.
func Over(t http.RoundTripper, base string) *Remote {
	return &Remote{Client: &api.Client{URL: base, HTTP: &http.Client{Transport: t}}}
}

// Close ends idle connections.
func (r *Remote) Close() { r.HTTP.CloseIdleConnections() }

// dial opens a WebSocket of the API.
func (r *Remote) dial(ctx context.Context, path string) (*websocket.Conn, *http.Response, error) {
	if r.Browser != nil {
		return r.Browser.WebSocket(ctx, r.URL+"/api/v1"+path)
	}
	return websocket.Dial(ctx, r.URL+"/api/v1"+path, &websocket.DialOptions{HTTPClient: r.HTTP})
}

// Away reports whether an error says that no server runs.
func Away(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// socket is a transport whose errors say what a missing server means.
type socket struct {
	*http.Transport
	path string
}

func (s *socket) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.Transport.RoundTrip(r)
	switch {
	case Away(err):
		err = problem.Wrap(err, problem.Unavailable, "No server runs here (looked at %s). Start one with `lanyard dev`, sign in to one elsewhere with `lanyard login https://HOST`, or name another socket with --socket.", s.path)
	case errors.Is(err, fs.ErrPermission):
		err = problem.Wrap(err, problem.Denied, "The socket %s belongs to somebody else: only who runs the server may speak to it as operator.", s.path)
	}
	return resp, err
}

// KindOf is the kind of an error of this package or of api.Client.
func KindOf(err error) problem.Kind {
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Type == typeOf(problem.StepUpNeeded):
		return problem.StepUpNeeded
	case errors.As(err, &refused) && refused.Type == typeOf(problem.ApprovalNeeded):
		return problem.ApprovalNeeded
	case errors.As(err, &refused):
		return problem.KindOfStatus(refused.Status)
	case errors.Is(err, api.ErrClosed):
		return problem.Denied
	}
	return problem.KindOf(err)
}

// typeOf is a kind as problem documents have it.
func typeOf(k problem.Kind) string { return problem.DocumentOf(problem.New(k, "")).Type }

// lost is an error of a connection, with what to do.
func lost(ctx context.Context, err error) error {
	var p *problem.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &p):
		return p
	}
	return problem.Wrap(err, problem.Unavailable, "The connection to the server failed (%v). Is it still running?", err)
}
