// Package terminal lets a person into a workspace: a terminal's WebSocket on the workspace's own site, and commands
// for the API. Both are relays to the workspace's agent, under a lease on the workspace.
package terminal

import (
	"log/slog"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

// SocketPath is the terminal's WebSocket.
const SocketPath = "/_lanyard/terminal"

// Agents leads to the agents of workspaces.
type Agents interface {
	Client(id identity.WorkspaceID) http.RoundTripper
}

// Config makes a Gate.
type Config struct {
	Access access.Authorizer
	Agents Agents
	// Workspace finds the workspace whose terminal a request's host names.
	Workspace func(*http.Request) (identity.WorkspaceID, identity.Resource, bool)
	Scheme    string // "https", or "http" on one machine: what browsers put before the host in Origin
	Log       *slog.Logger
}

// Gate serves terminals and commands.
type Gate struct{ c Config }

// New returns a Gate.
func New(c Config) *Gate { return &Gate{c} }

// Routes are what a terminal's page asks its site for.
func (g *Gate) Routes() []web.Route {
	return []web.Route{{
		Method: http.MethodGet, Path: SocketPath, Serve: g.serve,
		Access: web.Asks("workspace:open on the workspace of the host name, for as long as the terminal is open"),
	}}
}
