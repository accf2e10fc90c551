package verbs

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// here is what is set from inside a workspace: the person's own, for its repository. A workspace sets nothing that reaches
// workspaces of other projects.
func here(ws workspace.Workspace) setting.Scope {
	return setting.Scope{User: ws.Owner, Repository: ws.Repository}
}

func (g *Gate) variables(w http.ResponseWriter, r *http.Request) error {
	return g.serve(w, r, identity.EnvList, nil, func(ctx context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		return g.variablesOf(ctx, ws)
	})
}

// variablesOf are those that the next start gets, and the secret ones that it does not.
func (g *Gate) variablesOf(ctx context.Context, ws workspace.Workspace) (agentapi.OwnVariables, error) {
	out := agentapi.OwnVariables{Repository: ws.Repository, Items: []agentapi.OwnVariable{}}
	got, err := g.c.Settings.Resolve(ctx, setting.Query{
		Scope:   setting.Scope{User: ws.Owner, Project: ws.Project, Repository: ws.Repository},
		Secrets: g.c.Secrets(ctx, ws),
	})
	if err != nil {
		return out, err
	}
	p, _ := g.c.Facts().Projects.Project(ws.Project)
	add := func(v setting.Variable, given bool) {
		x := agentapi.OwnVariable{Name: v.Name, Value: v.Value, Secret: v.Secret, Given: given, Own: v.Scope == here(ws), By: v.By}
		x.For = "yours"
		if v.Project != "" {
			x.For = "project " + p.Name
		}
		if v.Repository != "" {
			x.For += ", this repository"
		}
		if v.Secret {
			x.Value = ""
		}
		out.Items = append(out.Items, x)
	}
	for _, v := range got.Variable {
		add(v, true)
	}
	for _, v := range got.Withheld {
		add(v, false)
	}
	slices.SortFunc(out.Items, func(a, b agentapi.OwnVariable) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (g *Gate) setVariables(w http.ResponseWriter, r *http.Request) error {
	var o agentapi.SetOwnVariables
	if err := read(r, &o); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(o.Set))
	if len(names) == 0 {
		return problem.New(problem.Invalid, "Name a variable and its value: NAME=VALUE.")
	}
	for _, name := range names { // all or none
		if err := setting.CheckName(name); err != nil {
			return err
		}
		// Code in a workspace of today would else run in those of tomorrow, of other refs, with what they are given.
		if project.LoadsCode(name) {
			return problem.New(problem.Invalid, "%s makes programs run other code, or reach other places, than they say, so it is not set from inside a workspace. Set it outside: lanyard env set %s=…", name, name)
		}
		if err := setting.CheckValue(name, o.Set[name]); err != nil {
			return err
		}
	}
	return g.serve(w, r, identity.EnvSet, map[string]any{"variables": names}, func(ctx context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		if err := g.keepsSecrets(ctx, ws, names); err != nil {
			return nil, err
		}
		for _, name := range names {
			v := setting.Variable{Scope: here(ws), Name: name, Value: o.Set[name], By: ws.OwnerName}
			if err := g.c.Settings.Set(ctx, v); err != nil {
				return nil, err
			}
		}
		return g.variablesOf(ctx, ws)
	})
}

// keepsSecrets refuses names that a secret variable has in the workspace: what is inside neither replaces nor removes one.
func (g *Gate) keepsSecrets(ctx context.Context, ws workspace.Workspace, names []string) error {
	got, err := g.c.Settings.Resolve(ctx, setting.Query{Scope: setting.Scope{User: ws.Owner, Project: ws.Project, Repository: ws.Repository}})
	if err != nil {
		return err
	}
	for _, v := range got.Withheld { // as all secret ones are here
		if slices.Contains(names, v.Name) {
			return problem.New(problem.Conflict, "%s is a secret variable, which is changed outside of workspaces alone: lanyard env set --secret %s, lanyard env unset %s", v.Name, v.Name, v.Name)
		}
	}
	return nil
}

func (g *Gate) unsetVariable(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("name")
	if err := setting.CheckName(name); err != nil {
		return err
	}
	return g.serve(w, r, identity.EnvSet, map[string]any{"variables": []string{name}, "removed": true}, func(ctx context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		if err := g.keepsSecrets(ctx, ws, []string{name}); err != nil {
			return nil, err
		}
		if err := g.c.Settings.Unset(ctx, here(ws), name); err != nil {
			if problem.KindOf(err) == problem.NotFound {
				err = problem.New(problem.NotFound, "You have no variable %s for this repository. One of the project's, and one for all your workspaces, is removed outside: lanyard env unset.", name)
			}
			return nil, err
		}
		return g.variablesOf(ctx, ws)
	})
}
