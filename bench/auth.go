package main

import (
	"context"
	"net/http"
	"sync/atomic"
)

// authRole is what nginx and Caddy ask whether a request may pass: the least that could answer. It is told at once when
// somebody has lost access, which is better than any that a peer's manual proposes.
type authRole struct {
	servers
	refuses atomic.Bool
}

func (a *authRole) methods() map[string]method {
	return map[string]method{
		"start": takes(func(context.Context, nothing) (string, error) {
			return a.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if a.refuses.Load() {
					w.WriteHeader(http.StatusForbidden)
				}
			}))
		}),
		"refuse": takes(func(_ context.Context, refuse bool) (nothing, error) {
			a.refuses.Store(refuse)
			return nothing{}, nil
		}),
	}
}
