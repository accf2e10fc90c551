// Package apiserver answers the HTTP API under /api/v1 as JSON. Its routes are a table of endpoints, from which both
// the site's routes and the OpenAPI document are made, so that neither can say what the other does not.
package apiserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Access is what the API asks of access.Engine.
type Access interface {
	access.Authorizer
	Facts() *access.Facts
	May(access.Request) bool
	Standing(access.Request) access.Explanation
	WhatIf(func(access.Facts) (access.Facts, access.Touched)) access.Difference
	Leases(yield func(*access.Lease) bool)
	LeasesOf(identity.UserID) []*access.Lease
	Ended() []access.Ending
	Changed() <-chan struct{}
	Revoke(identity.LeaseID, access.Reason) bool
}

// Workspaces is what the API asks of workspace.Manager.
type Workspaces interface {
	Create(context.Context, workspace.Order) (workspace.Workspace, error)
	Get(identity.WorkspaceID) (workspace.Workspace, bool)
	List() []workspace.Workspace
	// Want records what is wanted of a workspace, together with the event, and returns when that is stored.
	Want(context.Context, identity.WorkspaceID, workspace.Desired, audit.Event) error
	// Follow gives the lines of the present or last start and those that come, until stop is called.
	Follow(identity.WorkspaceID) (lines []workspace.Line, more <-chan workspace.Line, stop func())
}

// Sessions ends sign-ins and sessions, as session.Manager does: access ends at once, whether or not that can be
// written yet.
type Sessions interface {
	EndUser(ctx context.Context, u identity.UserID, why string, events ...audit.Event) session.Ended
	EndSignIn(ctx context.Context, id identity.SignInID, why string, events ...audit.Event) session.Ended
	EndSession(ctx context.Context, id identity.SessionID, why string, events ...audit.Event) session.Ended
}

// Config is what the API needs. All fields are required but Now.
type Config struct {
	Access     Access
	Workspaces Workspaces
	Sessions   Sessions
	Grants     Grants
	Audit      AuditLog
	Proofs     AuditProofs
	Reviews    Reviews
	Preview    Preview
	// Members is who says who is in which group: graph, scim or sign-in.
	Members string
	// Provisioning is what the tenant's provisioning service reaches; nil: nothing.
	Provisioning Provisioning
	// Health says how Lanyard stands with the tenant, which it asks.
	Health func(context.Context, api.Directory) api.DirectoryHealth
	// SignInTests makes and keeps tests of signing in; nil: there are none.
	SignInTests SignInTests
	// Connections are people's to Git hosts.
	Connections Connections
	// Settings are variables and dotfiles; Snapshots kept checkouts, which TakeSnapshot makes, with the event completed.
	Settings     Settings
	Registries   Registries // people's own credentials
	Snapshots    Snapshots
	Prebuilds    Prebuilds
	TakeSnapshot func(ctx context.Context, of workspace.Workspace, note string, event audit.Event) (snapshot.Row, error)
	// URL is the address of the pages, without a slash at the end.
	URL string
	// Machine says how workspaces run and are kept; nil: nothing of that is answered.
	Machine Machine
	// Classes are those of a project, the default one first; ClassOf is a workspace's. Nil: there are none.
	Classes func(identity.ProjectID) workspace.Classes
	ClassOf func(workspace.Workspace) (workspace.Class, error)
	Rules   workspace.Rules
	// Agent leads to a workspace's agent; nil: nothing is known of what goes on in workspaces.
	Agent func(identity.WorkspaceID) agentapi.Client
	// There refuses an order of a repository, ref or file that is not there; nil: nobody asks before the start.
	There func(context.Context, identity.Principal, workspace.Order) error
	// Exec runs a command in a workspace over a WebSocket. It opens its own lease on workspace:open, because only it
	// can say goodbye in the protocol.
	Exec func(http.ResponseWriter, *http.Request, identity.WorkspaceID) error
	// Forward carries one connection to a port of a workspace, likewise.
	Forward func(w http.ResponseWriter, r *http.Request, id identity.WorkspaceID, port int) error
	// RevokeElsewhere ends a lease at whichever replica has it open; nil where there is one server.
	RevokeElsewhere func(context.Context, identity.LeaseID, audit.Event) error
	// Terminal is the address of a workspace's terminal.
	Terminal func(identity.WorkspaceID) string
	// App is where browsers open an app; empty where they do not.
	App func(name string) string
	Log *slog.Logger
	Now func() time.Time // nil: time.Now
}

type server struct {
	c    Config
	spec []byte // the OpenAPI document
}

// Routes are the API's routes, for the pages site and for the operator's socket.
func Routes(c Config) []web.Route {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &server{c: c}
	table := s.endpoints()
	s.spec = document(table)
	routes := make([]web.Route, 0, len(table)+1)
	for _, e := range table {
		routes = append(routes, e.route())
	}
	return append(routes, web.Route{
		Method: http.MethodGet, Path: "/api/openapi.json",
		Access: web.Public("the description is the same for everybody and names nothing of this installation"),
		Serve:  s.openAPI,
	})
}
