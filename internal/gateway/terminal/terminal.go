// Package terminal lets a person into a workspace: the terminal's page and WebSocket on the workspace's own site, and
// commands for the API. Both are relays to the workspace's agent, under a lease on the workspace.
package terminal

import (
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// SocketPath is the terminal's WebSocket.
const SocketPath = "/_lanyard/terminal"

// Hub leads to the agents of workspaces.
type Hub interface {
	Client(id identity.WorkspaceID) http.RoundTripper
}

// Workspaces finds workspaces.
type Workspaces interface {
	Get(id identity.WorkspaceID) (workspace.Workspace, bool)
}

// Config makes a Gate.
type Config struct {
	Access     access.Authorizer
	Hub        Hub
	Workspaces Workspaces
	Domain     string // the sites are t-<label>.<Domain>; without port
	Scheme     string // "https", or "http" on one machine: what browsers put before the host in Origin
	Page       http.Handler
	Log        *slog.Logger
}

// Gate serves terminals and commands.
type Gate struct{ c Config }

// New returns a Gate.
func New(c Config) *Gate { return &Gate{c} }

// Routes are those of a terminal's site.
func (g *Gate) Routes() []web.Route {
	return []web.Route{
		{
			Method: http.MethodGet, Path: SocketPath, Serve: g.serve,
			Access: web.Asks("workspace:open on the workspace of the host name, for as long as the terminal is open"),
		},
		{
			Method: http.MethodGet, Path: "/{$}", Access: web.Needs(identity.WorkspaceOpen), On: g.on,
			Serve: func(w http.ResponseWriter, r *http.Request) error {
				g.c.Page.ServeHTTP(w, r)
				return nil
			},
		},
	}
}

// Host reports whether a host, with or without a port, is a terminal's site, and of which workspace.
func (g *Gate) Host(host string) (identity.WorkspaceID, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	rest, ok := strings.CutSuffix(strings.ToLower(host), "."+g.c.Domain)
	if !ok {
		return "", false
	}
	label, ok := strings.CutPrefix(rest, "t-")
	if !ok {
		return "", false
	}
	id, err := identity.WorkspaceFromLabel(label)
	return id, err == nil
}

func (g *Gate) on(r *http.Request, _ identity.Principal) (identity.Resource, error) {
	ws, err := g.find(r)
	if err != nil {
		return identity.Resource{}, err
	}
	return resource(ws), nil
}

func (g *Gate) find(r *http.Request) (workspace.Workspace, error) {
	id, ok := g.Host(r.Host)
	if !ok {
		return workspace.Workspace{}, problem.New(problem.NotFound, "There is no terminal at this address.")
	}
	ws, ok := g.c.Workspaces.Get(id)
	if !ok {
		return workspace.Workspace{}, problem.New(problem.NotFound, "%s", access.NotHere(identity.KindWorkspace, string(id)))
	}
	return ws, nil
}

func resource(ws workspace.Workspace) identity.Resource {
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(ws.ID), Project: ws.Project, Owner: ws.Owner}
}
