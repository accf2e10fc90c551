package apiserver

import (
	"cmp"
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Settings are what people set for workspaces, as setting.Settings keeps it.
type Settings interface {
	Set(context.Context, setting.Variable) error
	Unset(ctx context.Context, at setting.Scope, name string) error
	List(ctx context.Context, of setting.Scope) ([]setting.Variable, error)
	Dotfiles(context.Context, identity.UserID) (string, error)
	SetDotfiles(ctx context.Context, u identity.UserID, repository string) error
}

func (s *server) settingEndpoints() []endpoint {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	ofProject := param{"project", "Of this project, by its name; absent, one's own"}
	return []endpoint{
		{method: get, path: "/variables", access: web.Asks(ownOrAll), serve: s.variables, query: paged(ofProject), out: api.Page[api.Variable]{},
			says: "Environment variables of workspaces, one's own or a project's; the values of secret ones are not shown"},
		{method: post, path: "/variables", access: web.Asks(inBody), serve: s.setVariable, in: api.SetVariable{}, out: api.Variable{},
			says: "Sets an environment variable for the workspaces that start from now on"},
		{method: del, path: "/variables", access: web.Asks(ownOrAll), serve: s.unsetVariable, status: http.StatusNoContent,
			query: []param{{"name", "Its name"}, ofProject, {"repository", "The one that it is for alone; absent, it is for all"}},
			says:  "Removes an environment variable"},
		{method: get, path: "/preferences", access: web.Needs(identity.SelfView), on: ownThings, serve: s.preferences, out: api.Preferences{},
			says: "What the person wants of their workspaces"},
		{method: post, path: "/preferences", access: web.Needs(identity.EnvSet), on: ownThings, serve: s.setPreferences, in: api.Preferences{}, out: api.Preferences{},
			says: "Sets it"},
	}
}

// whoseVariables is the scope of a project's name, or of who asks where that is empty, and what is asked on. A project that is
// hidden is not there.
func (s *server) whoseVariables(r *http.Request, name string) (setting.Scope, identity.Resource, error) {
	who, err := s.somebody(r)
	if err != nil {
		return setting.Scope{}, identity.Resource{}, err
	}
	if name == "" {
		return setting.Scope{User: who.User}, identity.Own(who.User), nil
	}
	p, ok := s.projectNamed(name)
	on := projectResource(p)
	if !ok || !s.may(r, identity.ProjectView, on) {
		return setting.Scope{}, on, problem.New(problem.NotFound, "%s", access.NotHere(identity.KindProject, name))
	}
	return setting.Scope{Project: p.ID}, on, nil
}

func (s *server) projectNamed(name string) (project.Project, bool) {
	for _, p := range s.c.Access.Facts().Projects.All() {
		if p.Name == name || string(p.ID) == name {
			return p, true
		}
	}
	return project.Project{}, false
}

func (s *server) variables(w http.ResponseWriter, r *http.Request) error {
	at, on, err := s.whoseVariables(r, r.URL.Query().Get("project"))
	if err != nil {
		return err
	}
	return s.open(w, r, identity.EnvList, on, false, func(w http.ResponseWriter, r *http.Request) error {
		all, err := s.c.Settings.List(r.Context(), at)
		if err != nil {
			return err
		}
		var list []api.Variable
		for _, v := range all {
			list = append(list, s.variableOf(v))
		}
		page, err := pageOf(r, list, func(v api.Variable) string { return v.Repository + " " + v.Name })
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, page)
	})
}

func (s *server) setVariable(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	var o api.SetVariable
	if err := read(r, &o); err != nil {
		return err
	}
	at, on, err := s.whoseVariables(r, o.Project)
	if err == nil {
		at.Repository, err = repositoryOf(o.Repository)
	}
	if err != nil {
		return err
	}
	if p, _, known := s.c.Access.Facts().Projects.ForRepository(at.Repository); at.Project != "" && at.Repository != "" && (!known || p.ID != at.Project) {
		return problem.New(problem.Invalid, "The repository %s is not one of the project %s.", at.Repository, o.Project)
	}
	v := setting.Variable{Scope: at, Name: o.Name, Value: o.Value, Secret: o.Secret}
	if err := setting.CheckName(v.Name); err != nil { // before it is in the log
		return err
	}
	if at.Project != "" && project.LoadsCode(v.Name) {
		return problem.New(problem.Invalid, "%s makes programs run other code, or reach other places, than they say, so nobody sets it for everybody's workspaces in a project. Each person may for their own (lanyard env set %s=…), and the repository's file may say it, where it is reviewed.", v.Name, v.Name)
	}
	return s.openFor(w, r, s.aboutVariable(r, on, v), func(w http.ResponseWriter, r *http.Request) error {
		v.By = userName(s.c.Access.Facts(), web.PrincipalFrom(r.Context()).User)
		v.Changed = s.c.Now()
		if err := s.c.Settings.Set(r.Context(), v); err != nil {
			return err
		}
		return answer(w, http.StatusOK, s.variableOf(v))
	})
}

func (s *server) unsetVariable(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	at, on, err := s.whoseVariables(r, q.Get("project"))
	if err == nil {
		at.Repository, err = repositoryOf(q.Get("repository"))
	}
	if err == nil {
		err = setting.CheckName(q.Get("name"))
	}
	if err != nil {
		return err
	}
	request := s.aboutVariable(r, on, setting.Variable{Scope: at, Name: q.Get("name")})
	request.Detail["removed"] = true
	return s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.c.Settings.Unset(r.Context(), at, q.Get("name")); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// aboutVariable asks to change one. The log has its name, and never its value.
func (s *server) aboutVariable(r *http.Request, on identity.Resource, v setting.Variable) access.Request {
	request := s.request(r, identity.EnvSet, on)
	request.Durable = true
	request.Detail = map[string]any{"variable": v.Name, "repository": v.Repository, "secret": v.Secret}
	return request
}

// repositoryOf is a repository's address in its one spelling; empty stays empty.
func repositoryOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	canonical, err := project.CanonicalRepository(text)
	if err != nil {
		return "", problem.Wrap(err, problem.Invalid, "%s.", sentence(err.Error()))
	}
	return canonical, nil
}

func (s *server) variableOf(v setting.Variable) api.Variable {
	x := api.Variable{Name: v.Name, Value: v.Value, Secret: v.Secret, Repository: v.Repository, By: v.By, Changed: v.Changed}
	if v.Secret {
		x.Value = ""
	}
	if p, ok := s.c.Access.Facts().Projects.Project(v.Project); ok {
		x.Project = p.Name
	} else {
		x.Project = cmp.Or(x.Project, string(v.Project))
	}
	return x
}

func (s *server) preferences(w http.ResponseWriter, r *http.Request) error {
	dotfiles, err := s.c.Settings.Dotfiles(r.Context(), web.PrincipalFrom(r.Context()).User)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Preferences{Dotfiles: dotfiles})
}

func (s *server) setPreferences(w http.ResponseWriter, r *http.Request) error {
	var p api.Preferences
	if err := read(r, &p); err != nil {
		return err
	}
	if err := s.c.Settings.SetDotfiles(r.Context(), web.PrincipalFrom(r.Context()).User, p.Dotfiles); err != nil {
		return err
	}
	return answer(w, http.StatusOK, p)
}
