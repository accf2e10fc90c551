// Package gateway holds what the protocols behind Lanyard's data paths share: the guard of those paths, the check of
// a request's path, and the end of an answer after a cut. A protocol package knows its wire format and nothing else;
// each request goes the same way: identify, open a lease, connect, end.
package gateway

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Prefixes of the machine site's data paths.
const (
	GitPrefix = "/git/"
	AppPrefix = "/r/"
)

// EgressPath is where a workspace's agent asks for a connection to a host beyond Lanyard.
const EgressPath = agentapi.EgressPath

// Protocols are the handlers of the data paths.
type Protocols struct {
	Git web.Handler // below GitPrefix
	App web.Handler // below AppPrefix: apps and package registries
	// Egress is at EgressPath; nil: nothing is.
	Egress web.Handler
}

// Routes are the machine site's data paths.
func Routes(p Protocols) []web.Route {
	routes := []web.Route{
		{Path: GitPrefix, Access: web.Asks("repo:read or repo:write, by what git wants to do"), Serve: p.Git},
		{Path: AppPrefix, Access: web.Asks("app:call on the app, registry:read or registry:publish on the registry that the path names"), Serve: p.App},
	}
	if p.Egress != nil {
		routes = append(routes, web.Route{Path: EgressPath, Access: web.Asks("egress:connect on the host that a header names"), Serve: p.Egress})
	}
	return routes
}

// Guard refuses what the data paths never serve: browsers, and addresses that can be read in two ways. It lets other
// paths pass.
func Guard(r *http.Request) error {
	if !strings.HasPrefix(r.URL.Path, GitPrefix) && !strings.HasPrefix(r.URL.Path, AppPrefix) {
		return nil
	}
	if _, err := PackagePathOf(r); err != nil { // who serves other than packages is stricter
		return err
	}
	if strings.EqualFold(r.Header.Get("Sec-Fetch-Mode"), "navigate") {
		return problem.New(problem.Denied, "This address is for programs; a browser cannot open it.")
	}
	if len(r.Header.Values("Cookie")) > 0 {
		return problem.New(problem.Denied, "This address is for programs; it takes no cookies.")
	}
	return nil
}

// Known refuses who came neither through a workspace's tunnel nor with a token that is bound to a key, in the same words whatever they ask for: a stranger on the
// network must not learn which repositories and apps there are.
func Known(who identity.Principal) error {
	if who.Kind == identity.Anonymous {
		return problem.New(problem.SignInNeeded, "Sign in first: nobody is signed in.")
	}
	return nil
}

// Headers are on every answer of the data paths: what comes from behind Lanyard is on the host of Lanyard's own
// pages, and must not run there.
func Headers(h http.Header) {
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
}
