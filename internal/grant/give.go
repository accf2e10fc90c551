package grant

import (
	"context"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Part is a part of a user's rights that is to be given to an AI agent. That the user has each line now, the caller has
// had decided.
type Part struct {
	User    identity.UserID
	Session identity.SessionID // that delegates
	Ends    time.Time          // when the session ends by itself
	Agent   string
	Allowed []Allowed
	Why     string
	For     time.Duration
}

// Delegate gives an AI agent a part of its user's rights. It ends with the session that delegated, at the latest.
func (m *Manager) Delegate(ctx context.Context, p Part, e audit.Event) (Grant, error) {
	why, err := words(p.Why, "The reason")
	if err != nil {
		return Grant{}, err
	}
	d, err := span(p.For, MaxApproval)
	switch {
	case err != nil:
		return Grant{}, err
	case !agentName.MatchString(p.Agent):
		return Grant{}, problem.New(problem.Invalid, "An AI agent's name is made of a-z, 0-9 and -, begins with a letter and has at most 41 characters.")
	case len(p.Allowed) == 0:
		return Grant{}, problem.New(problem.Invalid, "Name what the AI agent may do: at least one action and resource.")
	case len(p.Allowed) > maxLines:
		return Grant{}, problem.New(problem.Invalid, "A delegation has at most %d lines, not %d.", maxLines, len(p.Allowed))
	case p.Session == "":
		return Grant{}, problem.New(problem.Denied, "Only a person delegates, in a session of theirs.")
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	now := m.c.Now()
	g := Grant{ID: identity.NewGrantID(), Kind: Delegation, User: p.User, Allowed: slices.Clone(p.Allowed), Agent: p.Agent, Session: p.Session,
		Why: why, By: p.User, From: now, Until: now.Add(d)}
	if !p.Ends.IsZero() && p.Ends.Before(g.Until) {
		g.Until = p.Ends
	}
	return g, m.give(ctx, g, g.event(e, string(identity.GrantDelegate), audit.Done))
}

// Emergency is a role that is to be given without approval. That whoever gives it may, the caller has had decided.
type Emergency struct {
	User    identity.UserID
	Project identity.ProjectID
	Role    policy.Role
	Why     string
	For     time.Duration
	By      identity.UserID // zero: the operator
}

// BreakGlass gives a role in a project without approval, and raises the alarm.
func (m *Manager) BreakGlass(ctx context.Context, b Emergency, e audit.Event) (Grant, error) {
	why, err := reason(b.Why)
	if err != nil {
		return Grant{}, err
	}
	d, err := span(b.For, MaxBreakGlass)
	switch {
	case err != nil:
		return Grant{}, err
	case !slices.Contains(policy.ProjectRoles(), b.Role):
		return Grant{}, problem.New(problem.Invalid, "The role must be viewer, developer or maintainer, not %q.", string(b.Role))
	case b.By == b.User:
		return Grant{}, problem.New(problem.Denied, "Nobody breaks the glass for themselves: another administrator or the operator has to.")
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	now := m.c.Now()
	g := Grant{ID: identity.NewGrantID(), Kind: BreakGlass, User: b.User, Project: b.Project, Role: b.Role, Why: why, By: b.By, From: now, Until: now.Add(d)}
	if err := m.give(ctx, g, g.event(e, string(identity.GrantBreakGlass), audit.Alarm)); err != nil {
		return g, err
	}
	by := "the operator"
	if !b.By.IsZero() {
		by = b.By.String()
	}
	m.c.Log.Error("ALARM: the glass was broken: a role was given without approval", "grant", g.ID, "user", g.User.String(), "by", by,
		"project", g.Project, "role", g.Role, "until", g.Until.UTC().Format(time.RFC3339), "why", g.Why)
	if m.c.Alarm != nil {
		m.c.Alarm(g)
	}
	return g, nil
}

// event completes the event of a grant.
func (g *Grant) event(e audit.Event, action string, outcome audit.Outcome) audit.Event {
	e.Action, e.Outcome = action, outcome
	if e.Resource == "" {
		e.Resource = identity.Resource{Kind: identity.KindGrant, Name: string(g.ID)}.String()
	}
	e.Detail = map[string]any{"grant": g.ID, "kind": g.Kind, "until": g.Until.UTC().Format(time.RFC3339)}
	if g.Why != "" {
		e.Reasons = []string{g.Why}
	}
	if len(g.Allowed) > 0 {
		e.Detail["allowed"] = g.Lines()
	}
	if g.Agent != "" {
		e.Detail["agent"] = g.Agent
	}
	if g.Kind == StepUp {
		e.Detail["context"], e.Detail["sign_in"] = g.Context, g.SignIn
		e.Workspace = g.Workspace
	}
	if g.Kind == BreakGlass { // nothing else says whom it was for
		e.Detail["role"], e.Detail["for"] = g.Role, g.User.String()
	}
	return e
}
