package aiagent

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// given reads lines of a delegation, such as "repo:read" or "app:call ledger", and refuses by name what the person may not
// do. What takes a stronger sign-in or an approval may be given, with a warning: at each use the person's own right is
// asked too.
func (g *Gate) given(ctx context.Context, who identity.Principal, p project.Project, lines []string) (all []grant.Allowed, warnings []string, err error) {
	for _, line := range lines {
		action, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		allowed, on, err := g.line(p, identity.Action(action), strings.TrimSpace(name))
		if err != nil {
			return nil, nil, err
		}
		warning, err := g.has(ctx, who, allowed, on)
		if err != nil {
			return nil, nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
		if !slices.Contains(all, allowed) {
			all = append(all, allowed)
		}
	}
	return all, warnings, nil
}

// line reads one line: what it covers, and the resources of the project that this is now.
func (g *Gate) line(p project.Project, action identity.Action, name string) (grant.Allowed, []identity.Resource, error) {
	kind, ok := identity.Delegable(action)
	known := g.c.Facts().Policies.Actions()
	if !slices.Contains(known, action) {
		return grant.Allowed{}, nil, problem.New(problem.Invalid, "There is no action %q. An AI agent can be given %s.", action, delegable(known))
	}
	if !ok {
		return grant.Allowed{}, nil, problem.New(problem.Denied, "%s cannot be given to an AI agent: it is for people. What can be given: %s.", action, delegable(known))
	}
	allowed := grant.Allowed{Action: action, Kind: kind, Project: p.ID}
	all := resources(p, kind)
	if name == "" {
		return allowed, all, nil
	}
	for _, r := range all {
		if r.Name == name || short(r) == name || p.Name+"/"+short(r) == name {
			allowed.Name = r.Name
			return allowed, []identity.Resource{r}, nil
		}
	}
	if kind == identity.KindRepo {
		if url, err := project.CanonicalRepository(name); err == nil {
			name = url
		}
		if i := slices.IndexFunc(all, func(r identity.Resource) bool { return r.Name == name }); i >= 0 {
			allowed.Name = name
			return allowed, all[i : i+1], nil
		}
	}
	if host, port, ok := project.SplitEgress(name); ok && kind == identity.KindEgress {
		if _, listed := p.EgressTo(host, port); listed {
			r := project.EgressResource(host, port, p.ID)
			allowed.Name = r.Name
			return allowed, []identity.Resource{r}, nil
		}
	}
	return allowed, nil, problem.New(problem.NotFound, "%s, in the project %s of this workspace.",
		strings.TrimSuffix(access.NotHere(kind, fmt.Sprintf("%q", name)), "."), p.Name)
}

// short is a resource's name within its project.
func short(r identity.Resource) string {
	if r.Kind == identity.KindRepo {
		return path.Base(r.Name)
	}
	return r.Name
}

func resources(p project.Project, kind identity.ResourceKind) (all []identity.Resource) {
	switch kind {
	case identity.KindRepo:
		for _, x := range p.Repositories {
			all = append(all, x.Resource(p.ID))
		}
	case identity.KindApp:
		for _, x := range p.Apps {
			all = append(all, x.Resource(p.ID))
		}
	case identity.KindRegistry:
		for _, x := range p.Registries {
			all = append(all, x.Resource(p.ID))
		}
	case identity.KindEgress:
		for _, x := range p.Workspace.Egress {
			all = append(all, x.Resource(p.ID))
		}
	case identity.KindAudience:
		for _, x := range p.Audiences {
			all = append(all, x.Resource(p.ID))
		}
	}
	return all
}

func delegable(known []identity.Action) string {
	var names []string
	for _, a := range known {
		if _, ok := identity.Delegable(a); ok {
			names = append(names, string(a))
		}
	}
	return strings.Join(names, ", ")
}

// has refuses a line that gives nothing, since the person may do it nowhere.
func (g *Gate) has(ctx context.Context, who identity.Principal, a grant.Allowed, on []identity.Resource) (warning string, err error) {
	if len(on) == 0 {
		return "", problem.New(problem.NotFound, "%s gives nothing: the project has no %s.", a.Action, a.Kind)
	}
	for _, r := range on {
		request := access.Request{Principal: who, Action: a.Action, Resource: r}
		x := g.c.Access.Explain(ctx, request)
		switch {
		case x.Effect == access.Allow:
			return "", nil
		case x.Effect == access.StepUp:
			warning = fmt.Sprintf("%s on %s will be refused to the AI agent: it takes a stronger sign-in, which AI agents cannot make, and yours is not theirs", a.Action, r)
		case x.Effect == access.Approval:
			warning = fmt.Sprintf("%s on %s will be refused to the AI agent until you have the approval for it. %s", a.Action, r, x.Next)
		case x.Hidden:
			err = problem.New(problem.NotFound, "%s", access.NotHere(r.Kind, r.Name))
		default:
			err = problem.New(problem.Denied, "You cannot give %s on %s, since you may not do it yourself now: %s.", a.Action, r, strings.Join(x.Reasons, "; "))
		}
	}
	if warning != "" {
		return warning, nil
	}
	return "", err
}
