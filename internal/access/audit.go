package access

import (
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// describe makes the audit event of a request and its decision.
func (e *Engine) describe(r Request, d Decision) audit.Event {
	f := e.Facts()
	name := ""
	if u, ok := f.Directory.User(r.Principal.User); ok {
		name = u.Name
	}
	ev := audit.Event{
		Time: e.now(), Action: string(r.Action),
		User: audit.PersonOf(r.Principal.User, name), Session: r.Principal.Session, Workspace: r.Principal.Workspace,
		Resource: r.Resource.String(), Reasons: d.because(f), IP: r.IP, Detail: merged(r.Detail, rested(d)),
	}
	if ev.Workspace == "" && r.Resource.Kind == identity.KindWorkspace {
		ev.Workspace = identity.WorkspaceID(r.Resource.Name)
	}
	if p, ok := f.Projects.Project(r.Resource.Project); ok {
		ev.Project = p.Name
	}
	switch r.Principal.Kind {
	case identity.Operator:
		ev.Actor = "operator"
	case identity.AIAgent:
		ev.Actor = "agent:" + r.Principal.Agent
	case identity.Service:
		ev.Actor = "service:" + r.Principal.Service
	}
	return ev
}

// rested names what an allowed access rests on by what does not change, so that it can be counted what is used.
func rested(d Decision) map[string]any {
	if d.Effect != Allow || d.Role == "" && d.Grant == "" {
		return nil
	}
	detail := make(map[string]any, 3)
	if !d.Via.IsZero() {
		detail["role"], detail["via"] = d.Role, d.Via.Object
	}
	if d.Grant != "" {
		detail["grant"] = d.Grant
	}
	return detail
}
