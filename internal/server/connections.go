package server

import (
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
)

// makeUpstream makes what reaches upstreams, and the connections whose tokens it adds.
func (s *Server) makeUpstream() {
	o := s.options
	s.connects = connection.New(connection.Config{
		Apps: o.GitHub, URL: o.URL, Rows: s.store, Once: s.store, Sealer: s.sealer, Log: s.log,
		HTTP: &http.Client{
			Timeout: 20 * time.Second, Transport: fetcher(func(r *http.Request) (*http.Response, error) { return s.upstream.Fetch(r) }),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	s.upstream = upstream.New(upstream.Config{
		Names: o.Names, Tokens: s.signin, Apps: s.signin, Connections: s.connects, Log: s.log,
	})
}

type fetcher func(*http.Request) (*http.Response, error)

func (f fetcher) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
