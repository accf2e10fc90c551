// Package verbs answers what the commands lanyard and gp in a workspace ask about their own workspace: the machine site's
// routes below /workspace, which are reached through a workspace's tunnel alone.
package verbs

import (
	"context"
	"net/http"
	"time"

	strict "github.com/go-json-experiment/json"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Workspaces is what is asked of workspace.Manager.
type Workspaces interface {
	Get(identity.WorkspaceID) (workspace.Workspace, bool)
	Want(context.Context, identity.WorkspaceID, workspace.Desired, audit.Event) error
	Life(identity.WorkspaceID) (workspace.Life, bool)
	DiskOf(identity.WorkspaceID) (workspace.DiskUse, bool)
	Extend(identity.WorkspaceID) (workspace.Life, error)
	Change(context.Context, identity.WorkspaceID, func(*workspace.Details), ...audit.Event) (workspace.Workspace, error)
}

// Settings keeps environment variables (setting.Settings).
type Settings interface {
	Set(context.Context, setting.Variable) error
	Unset(ctx context.Context, at setting.Scope, name string) error
	Resolve(context.Context, setting.Query) (setting.Resolved, error)
}

// Config makes a Gate. All fields are required but Now.
type Config struct {
	Access     access.Authorizer
	Facts      func() *access.Facts
	Workspaces Workspaces
	Settings   Settings
	// Secrets reports whether a workspace is given secret variables.
	Secrets func(context.Context, workspace.Workspace) bool
	// Take keeps a snapshot of a running workspace, with the event completed.
	Take func(ctx context.Context, of workspace.Workspace, note string, event audit.Event) (snapshot.Row, error)
	// Class is what a workspace is of.
	Class    func(workspace.Workspace) (workspace.Class, error)
	URL      string                            // of Lanyard's pages, without a slash at the end
	Terminal func(identity.WorkspaceID) string // its address
	Port     func(identity.WorkspaceID) string // the address of a port, with {port} in it
	Longest  time.Duration                     // timeout that somebody may set; 0: no bound
	Now      func() time.Time                  // nil: time.Now
}

// Gate serves the routes.
type Gate struct{ c Config }

// New returns a Gate.
func New(c Config) *Gate {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Gate{c}
}

// Routes are the machine site's routes below /workspace.
func (g *Gate) Routes() []web.Route {
	const own = " on the workspace of the tunnel"
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	at := agentapi.OwnPrefix
	return []web.Route{
		{Method: get, Path: at, Serve: g.info, Access: web.Asks("workspace:list" + own)},
		{Method: get, Path: at + "/user", Serve: g.user, Access: web.Asks("workspace:list" + own)},
		{Method: get, Path: at + "/env", Serve: g.variables, Access: web.Asks("env:list" + own)},
		{Method: post, Path: at + "/env", Serve: g.setVariables, Access: web.Asks("env:set" + own)},
		{Method: del, Path: at + "/env", Serve: g.unsetVariable, Access: web.Asks("env:set" + own)},
		{Method: post, Path: at + "/timeout", Serve: g.timeout, Access: web.Asks("workspace:open" + own)},
		{Method: post, Path: at + "/snapshot", Serve: g.snapshot, Access: web.Asks("workspace:open" + own)},
		{Method: post, Path: at + "/stop", Serve: g.stop, Access: web.Asks("workspace:stop" + own)},
	}
}

// serve finds the workspace of the tunnel and serves with a lease on it. A detail that is not nil is durable in the log before.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request, action identity.Action, detail map[string]any,
	f func(context.Context, identity.Principal, workspace.Workspace) (any, error)) error {
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil {
		return err
	}
	ws, ok := g.c.Workspaces.Get(who.Workspace)
	if !ok || who.User != ws.Owner {
		return problem.New(problem.Denied, "This is for the inside of a workspace: run it in its terminal.")
	}
	ctx, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: who, Action: action, Resource: resource(ws), IP: web.ClientIP(r), Durable: detail != nil, Detail: detail,
	}, nil)
	if err != nil {
		return err
	}
	defer lease.End()
	v, err := f(ctx, who, ws)
	if err != nil {
		return err
	}
	b, err := problem.JSON(v)
	if err != nil {
		return err
	}
	gateway.WriteWhole(w, http.StatusOK, "application/json", append(b, '\n'))
	return nil
}

func resource(ws workspace.Workspace) identity.Resource {
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(ws.ID), Project: ws.Project, Owner: ws.Owner}
}

// maxBody bounds what a request carries, in bytes.
const maxBody = 256 << 10

func read(r *http.Request, v any) error {
	err := strict.UnmarshalRead(http.MaxBytesReader(nil, r.Body, maxBody), v, strict.RejectUnknownMembers(true))
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The body is not the JSON expected here.")
	}
	return nil
}

// event is what is known of who asks, for the log.
func (g *Gate) event(r *http.Request, who identity.Principal, ws workspace.Workspace, action string) audit.Event {
	e := audit.Event{
		Time: g.c.Now(), Action: action, Outcome: audit.Done, User: audit.PersonOf(ws.Owner, ws.OwnerName), Session: who.Session,
		Workspace: ws.ID, Resource: resource(ws).String(), IP: web.ClientIP(r),
	}
	if p, ok := g.c.Facts().Projects.Project(ws.Project); ok {
		e.Project = p.Name
	}
	return e
}
