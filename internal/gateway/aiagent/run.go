package aiagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// endWithin bounds the end of an AI agent: its work is handed back then.
const endWithin = 10 * time.Minute

// run serves /agents/run: an AI agent from its order to its end. The command lives as long as the connection does.
func (g *Gate) run(w http.ResponseWriter, r *http.Request) error {
	who, ws, err := g.asker(r)
	if err != nil {
		return err
	}
	person, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil // Accept has answered
	}
	defer person.CloseNow()
	person.SetReadLimit(maxFrame)
	if err := g.serve(r, person, who, ws); err != nil {
		refuse(r.Context(), person, err)
	}
	return nil
}

func (g *Gate) serve(r *http.Request, person *websocket.Conn, who identity.Principal, ws workspace.Workspace) error {
	order, err := readOrder(r.Context(), person)
	if err != nil {
		return err
	}
	in, ok := g.c.Facts().Projects.Project(ws.Project)
	if !ok {
		return problem.New(problem.Denied, "The workspace's project is no longer configured.")
	}
	p, err := plan(in, order)
	if err != nil {
		return err
	}
	base := &ground{user: who.User, now: g.c.Now}
	ctx, lease, err := g.c.Access.Open(r.Context(), access.Request{
		Principal: who, Action: identity.AgentRun, Resource: resource(ws), IP: web.ClientIP(r), Durable: true,
		Detail: map[string]any{
			"agent": order.Name, "allow": shown(p.lines), "for": problem.Length(p.wanted), "checkout": p.checkout(), "command": shown(order.Exec.Argv),
		},
		Stands: base.stands,
	}, func(reason access.Reason) { goodbye(person, order.Name, reason) })
	if err != nil {
		return err
	}
	defer lease.End()
	lease.Hold(closer(person.CloseNow))
	if conn := web.ConnFrom(ctx); conn != nil {
		lease.Hold(conn)
	}
	allowed, warnings, err := g.given(ctx, who, in, p.lines)
	if err != nil {
		return err
	}
	if p.shared {
		if err := lease.Ask(identity.AgentShare, resource(ws)); err != nil {
			return err
		}
		base.shares(lease.Request)
		warnings = append(warnings, order.Name+" works on the workspace's own checkout: what it writes there may be run with your rights. Look at it before you build, commit or open it in an editor.")
	}
	for _, text := range warnings {
		say(ctx, person, agentapi.AgentEvent{Warning: text})
	}
	one, err := g.begin(ctx, lease, base, who, ws, p, allowed)
	if err != nil {
		return err
	}
	exit, err := g.work(ctx, lease, one, person, ws, p)
	why := "its command has ended"
	if exit != nil {
		why = fmt.Sprintf("its command has ended with status %d", exit.Code)
	}
	switch {
	case !lease.Reason().IsZero():
		why = lease.Reason().Text
	case err != nil:
		why = strings.TrimSuffix(problem.Message(err), ".")
	}
	shutdown := lease.Reason().Code == access.Shutdown
	lease.End() // what it rests on ends now, and no longer cuts it
	g.finish(one, ws, exit, why, shutdown)
	if !lease.Reason().IsZero() {
		<-lease.Cut()
		return nil
	}
	last := one.show()
	say(ctx, person, agentapi.AgentEvent{Ended: &last})
	if err != nil {
		return err
	}
	end(ctx, person, agentapi.AgentExit{Code: exit.Code})
	return nil
}

// begin gives the AI agent its delegation and its session, and notes it.
func (g *Gate) begin(ctx context.Context, lease *access.Lease, base *ground, who identity.Principal, ws workspace.Workspace, p planned, allowed []grant.Allowed) (*run, error) {
	part := grant.Part{User: who.User, Session: who.Session, Agent: p.order.Name, Allowed: allowed, Why: p.order.Why, For: p.wanted}
	if row, signIn, ok := g.c.Facts().Sessions.Session(who.Session); ok {
		part.Ends = session.Until(row, signIn)
	}
	d, err := g.c.Grants.Delegate(ctx, part, g.event(ws, who.Session, "", string(identity.GrantDelegate), lease.Request.IP))
	if err != nil {
		return nil, err
	}
	row, err := g.c.Sessions.ForAgent(ctx, who.Session, p.order.Name, d.ID)
	if err != nil {
		g.c.Grants.Revoke(context.WithoutCancel(ctx), d.ID, "the AI agent could not be started", g.event(ws, who.Session, "", "", ""))
		return nil, err
	}
	one := &run{of: ws.ID, grant: d.ID, session: row.ID, over: make(chan struct{}), view: agentapi.Running{
		ID: string(row.ID), Name: p.order.Name, Workspace: string(ws.ID), Grant: string(d.ID), Lease: string(lease.ID),
		Allowed: d.Lines(), Checkout: p.checkout(), Command: shown(p.order.Exec.Argv), Started: g.c.Now(), Until: d.Until, State: starting,
	}}
	base.set(d, row.ID)
	lease.Note("grant", d.ID)
	lease.Note("agent_session", row.ID)
	g.runs.add(one)
	return one, nil
}

// work starts the sibling and carries the command in it. exit is nil where the command did not come to its own end.
func (g *Gate) work(ctx context.Context, lease *access.Lease, one *run, person *websocket.Conn, ws workspace.Workspace, p planned) (exit *agentapi.ExecExit, err error) {
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	one.mu.Lock()
	one.halt = halt
	one.mu.Unlock()
	if why := lease.Request.Stands(g.c.Facts(), nil); why != "" {
		return nil, problem.New(problem.Denied, "The AI agent was not started: %s.", why)
	}
	sibling, err := g.c.Siblings.StartSibling(ctx, workspace.SiblingOrder{
		Of: ws.ID, Session: one.session, Agent: p.order.Name, Grant: one.grant, Shared: p.shared,
	}, func(step string) { say(ctx, person, agentapi.AgentEvent{Step: step}) })
	if err != nil {
		return nil, g.halted(ctx, err)
	}
	one.change(func(v *agentapi.Running) { one.sibling, v.State = sibling.ID, running })
	conn, err := g.dial(ctx, sibling.ID, p.order.Exec)
	if err != nil {
		return nil, g.halted(ctx, err)
	}
	defer conn.CloseNow()
	lease.Hold(closer(conn.CloseNow))
	started := one.show()
	say(ctx, person, agentapi.AgentEvent{Started: &started})
	last, done := relay(ctx, person, conn, lease.Count)
	switch {
	case !done:
		return nil, g.halted(ctx, problem.New(problem.Unavailable, "The connection to the AI agent ended before its command did."))
	case last.Error != "":
		return nil, problem.New(problem.Invalid, "%s", last.Error)
	}
	return &last, nil
}

// errStopped is the cause of a run that somebody stopped.
var errStopped = errors.New("it was stopped")

// halted is why a run did not come to its own end: what stopped it, or err.
func (g *Gate) halted(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStopped) {
		return problem.Wrap(err, problem.Conflict, "The AI agent was stopped.")
	}
	return err
}

// finish takes away what the AI agent was given, brings its work back and removes its sibling. At the server's own end the
// next one does the latter.
func (g *Gate) finish(one *run, ws workspace.Workspace, exit *agentapi.ExecExit, why string, shutdown bool) {
	defer close(one.over)
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	one.change(func(v *agentapi.Running) { v.State = ending })
	name := one.show().Name
	if one.sibling != "" && one.show().Checkout == agentapi.CheckoutShared { // it writes in the workspace's checkout as long as it runs
		if err := g.c.Siblings.StopSibling(ctx, one.sibling); err != nil {
			g.c.Log.Error("an AI agent that shares a checkout could not be stopped at once", "agent", name, "session", one.session, "error", err)
		}
	}
	g.asks.drop(one.session)
	g.c.Grants.Revoke(ctx, one.grant, why, g.event(ws, one.session, name, "", ""))
	g.c.Sessions.EndSession(ctx, one.session, why)
	var handed workspace.Handed
	var err error
	if one.sibling != "" && !shutdown {
		handed, err = g.c.Siblings.HandBack(ctx, one.sibling)
		if failed := g.c.Siblings.EndSibling(ctx, one.sibling, why); failed != nil && err == nil {
			err = failed
		}
		if errors.Is(err, workspace.ErrGone) { // its workspace was stopped: whoever stopped it had it ended
			err = nil
		}
	}
	one.change(func(v *agentapi.Running) {
		v.State, v.Ended = ended, g.c.Now()
		v.Branch, v.Stat, v.Diff, v.DiffCut = handed.Branch, handed.Stat, handed.Diff, handed.Cut
		if exit != nil {
			v.Code = exit.Code
		} else {
			v.Why = why
		}
		if err != nil {
			v.Left = problem.Message(err)
			g.c.Log.Error("an AI agent did not end as it should", "agent", v.Name, "session", v.ID, "error", err)
		}
	})
}

func readOrder(ctx context.Context, person *websocket.Conn) (agentapi.AgentOrder, error) {
	var o agentapi.AgentOrder
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kind, frame, err := person.Read(ctx)
	if err != nil {
		return o, err
	}
	if kind != websocket.MessageText || json.Unmarshal(frame, &o) != nil {
		return o, problem.New(problem.Invalid, "The first frame does not say which AI agent to run.")
	}
	return o, nil
}

// maxShown bounds how much of a list the audit log keeps, in bytes.
const maxShown = 2000

func shown(list []string) []string {
	left, kept := maxShown, []string{}
	for _, s := range list {
		if len(s) > left {
			return append(kept, strings.ToValidUTF8(s[:left], ""), "…")
		}
		kept = append(kept, s)
		left -= len(s)
	}
	return kept
}
