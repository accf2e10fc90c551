// Package aiagent runs AI agents beside workspaces, each in a sibling with a session of its own: the machine site's routes
// below /agents, which the commands inside a workspace use. A running AI agent holds a lease on its person's right to run
// it and on its delegation; when that is cut, the AI agent ends.
package aiagent

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Prefix is where the routes are.
const Prefix = "/agents"

// Hub leads to the agents of workspaces and of siblings.
type Hub interface {
	Client(id identity.WorkspaceID) http.RoundTripper
}

// Siblings runs the second containers that AI agents work in.
type Siblings interface {
	Get(id identity.WorkspaceID) (workspace.Workspace, bool)
	// StartSibling makes one beside a workspace, with the checkout in it, and returns when it is ready.
	StartSibling(ctx context.Context, o workspace.SiblingOrder, progress func(string)) (workspace.Sibling, error)
	// HandBack ends what runs in one and brings what was done there into the workspace, as a branch.
	HandBack(ctx context.Context, id identity.WorkspaceID) (workspace.Handed, error)
	// Siblings lists those beside a workspace, also what has ended and whose work is kept.
	Siblings(of identity.WorkspaceID) []workspace.Sibling
	// StopSibling ends what runs in one at once, and leaves all else.
	StopSibling(ctx context.Context, id identity.WorkspaceID) error
	// DiscardSibling removes one that is kept, with its work.
	DiscardSibling(ctx context.Context, id identity.WorkspaceID, why string) error
	// EndSibling ends one and removes it.
	EndSibling(ctx context.Context, id identity.WorkspaceID, why string) error
}

// Sessions makes and ends the sessions of AI agents.
type Sessions interface {
	ForAgent(ctx context.Context, from identity.SessionID, name string, delegation identity.GrantID, events ...audit.Event) (session.Session, error)
	EndSession(ctx context.Context, id identity.SessionID, why string, events ...audit.Event) session.Ended
}

// Grants keeps delegations.
type Grants interface {
	Delegate(context.Context, grant.Part, audit.Event) (grant.Grant, error)
	Widen(ctx context.Context, id identity.GrantID, more []grant.Allowed, e audit.Event) (grant.Grant, error)
	Revoke(ctx context.Context, id identity.GrantID, why string, e audit.Event) grant.Ended
}

// Config makes a Gate.
type Config struct {
	Access   access.Authorizer
	Facts    func() *access.Facts
	Siblings Siblings
	Hub      Hub
	Sessions Sessions
	Grants   Grants
	Audit    access.Recorder
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Gate serves AI agents.
type Gate struct {
	c    Config
	runs runs
	asks asks
}

// New returns a Gate.
func New(c Config) *Gate {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Gate{c: c}
}

// Routes are the machine site's routes below /agents.
func (g *Gate) Routes() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: Prefix + "/run", Serve: g.run,
			Access: web.Asks("agent:run on the workspace of the tunnel, for as long as the AI agent runs, and agent:share where it works on the same checkout")},
		{Method: http.MethodGet, Path: Prefix, Serve: g.list,
			Access: web.Asks("workspace:list on the workspace of the tunnel; an AI agent sees itself alone")},
		{Method: http.MethodGet, Path: Prefix + "/{id}", Serve: g.show,
			Access: web.Asks("workspace:list on the workspace of the tunnel; an AI agent sees itself alone")},
		{Method: http.MethodDelete, Path: Prefix + "/{id}", Serve: g.stop,
			Access: web.Asks("agent:run on the workspace of the tunnel; who has it no more has none running")},
		{Method: http.MethodPost, Path: Prefix + "/asks", Serve: g.ask,
			Access: web.Asks("of an AI agent, that it runs: asking gives nothing")},
		{Method: http.MethodGet, Path: Prefix + "/asks", Serve: g.listAsks,
			Access: web.Asks("workspace:list on the workspace of the tunnel; an AI agent sees its own alone")},
		{Method: http.MethodPost, Path: Prefix + "/asks/{id}", Serve: g.answerAsk,
			Access: web.Asks("agent:run on the workspace of the tunnel, as for starting it with what it asks for")},
	}
}

// asker is who asks through the tunnel of a workspace or of a sibling, and the workspace.
func (g *Gate) asker(r *http.Request) (identity.Principal, workspace.Workspace, error) {
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil {
		return who, workspace.Workspace{}, err
	}
	ws, ok := g.c.Siblings.Get(who.Workspace)
	if !ok || who.User != ws.Owner {
		return who, ws, problem.New(problem.Denied, "AI agents are for the inside of a workspace: run this in its terminal.")
	}
	return who, ws, nil
}

// open asks for one request's right on the workspace.
func (g *Gate) open(r *http.Request, who identity.Principal, action identity.Action, ws workspace.Workspace, detail map[string]any) (*access.Lease, error) {
	_, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: who, Action: action, Resource: resource(ws), IP: web.ClientIP(r), Durable: detail != nil, Detail: detail,
	}, nil)
	return lease, err
}

func resource(ws workspace.Workspace) identity.Resource {
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(ws.ID), Project: ws.Project, Owner: ws.Owner}
}

// event is what is known of an AI agent for the audit log. Where the AI agent itself acts, actor is its name.
func (g *Gate) event(ws workspace.Workspace, sid identity.SessionID, actor, action, ip string) audit.Event {
	f := g.c.Facts()
	e := audit.Event{
		Time: g.c.Now(), Action: action, Outcome: audit.Done, User: audit.PersonOf(ws.Owner, ws.OwnerName), Session: sid,
		Workspace: ws.ID, Resource: resource(ws).String(), IP: ip,
	}
	if actor != "" {
		e.Actor = "agent:" + actor
	}
	if p, ok := f.Projects.Project(ws.Project); ok {
		e.Project = p.Name
	}
	return e
}
