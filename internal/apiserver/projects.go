package apiserver

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// projects lists the projects that who asks may see.
func (s *server) projects(w http.ResponseWriter, r *http.Request) error {
	f := s.c.Access.Facts()
	who := web.PrincipalFrom(r.Context())
	var list []api.Project
	all := s.may(r, identity.DirectoryRead, identity.Installation())
	for _, p := range f.Projects.All() {
		on := projectResource(p)
		if !s.may(r, identity.ProjectView, on) {
			continue
		}
		x := api.Project{
			ID: string(p.ID), Name: p.Name, CanStart: s.may(r, identity.WorkspaceCreate, on),
			Repositories: []api.Repository{}, Apps: []string{}, AppSites: []api.AppSite{},
			FromGroups: p.FromGroups, Closed: p.Closed, ClosedAt: p.ClosedAt,
		}
		if all {
			x.Roles = roleGroups(f, p)
			x.Warm = s.warmOf(p)
		}
		if role, via := f.RoleIn(who.User, p.ID); role != "" {
			x.Role, x.Via, x.Path = role, groupName(f, via), pathTo(f, who.User, via)
		}
		for _, repository := range p.Repositories {
			wants := repository.Prebuilds != nil
			x.Repositories = append(x.Repositories, api.Repository{
				URL: repository.URL, Name: path.Base(repository.URL), Prebuilds: wants, CanPrebuild: wants && s.may(r, identity.RepoMaintain, repository.Resource(p.ID)),
			})
		}
		for _, app := range p.Apps {
			x.Apps = append(x.Apps, app.Name)
			if url := s.c.App(app.Name); url != "" && s.may(r, app.Entrance(), app.Resource(p.ID)) {
				x.AppSites = append(x.AppSites, api.AppSite{Name: app.Name, URL: url})
			}
		}
		list = append(list, x)
	}
	page, err := pageOf(r, list, func(p api.Project) string { return p.Name })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// warmOf are the workspaces that are made ahead for a project.
func (s *server) warmOf(p project.Project) (all []api.WarmPool) {
	if s.c.Machine == nil || len(p.Workspace.Warm) == 0 {
		return nil
	}
	for _, w := range s.c.Machine.Warm() {
		if w.Project == p.ID {
			all = append(all, api.WarmPool{Class: w.Class, Image: w.Image, Wanted: w.Count, Ready: w.Ready, Making: w.Making, Message: w.Message, Since: w.Since})
		}
	}
	return all
}

// roleGroups are the groups that hold the roles of a project, the strongest first.
func roleGroups(f *access.Facts, p project.Project) (list []api.RoleGroup) {
	for _, role := range slices.Backward(policy.ProjectRoles()) {
		for _, g := range p.Roles[role] {
			list = append(list, api.RoleGroup{Role: string(role), Group: g.Object, Name: groupName(f, g)})
		}
	}
	return list
}

// projectFindings lists what is wrong with roles and groups.
func (s *server) projectFindings(w http.ResponseWriter, r *http.Request) error {
	page, err := pageOf(r, findings(s.c.Access.Facts().Projects.Findings()), func(f api.Finding) string {
		return fmt.Sprintf("%s\x00%09d\x00%09d\x00%s", f.File, f.Line, f.Column, f.Message)
	})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// context says what a context URL would start.
func (s *server) context(w http.ResponseWriter, r *http.Request) error {
	if id, ok, err := snapshotContext(r.URL.Query().Get("url")); ok || err != nil {
		return s.contextOfSnapshot(w, r, id, err)
	}
	target, err := s.target(api.Order{ContextURL: r.URL.Query().Get("url")})
	if err != nil {
		return err
	}
	if !target.found || !s.may(r, identity.WorkspaceCreate, target.resource) {
		return target.notHere()
	}
	return answer(w, http.StatusOK, s.contextOf(target))
}

// target is the repository that an order means.
type target struct {
	repository string // canonical
	ref        string
	context    project.Context // what else the context URL says
	found      bool            // it belongs to a project; the following are set
	project    project.Project
	resource   identity.Resource
}

// notHere is the same for a repository that is in no project and for one that the person has no role for.
func (t target) notHere() error {
	return problem.New(problem.NotFound, "%s", access.NotHere(identity.KindRepo, t.repository))
}

// target reads an order. What is malformed is an error; a repository of no project is not found, but no error yet.
func (s *server) target(o api.Order) (target, error) {
	var t target
	var err error
	switch {
	case o.ContextURL != "" && (o.Project != "" || o.Repository != "" || o.Ref != ""):
		return t, problem.New(problem.Invalid, "Give either context_url or repository with project and ref, not both.")
	case o.ContextURL != "":
		t.context, err = project.ParseContext(o.ContextURL)
		t.repository, t.ref = t.context.Repository, t.context.Ref
		if err == nil && t.context.Snapshot != "" {
			return t, problem.New(problem.Invalid, "A snapshot is opened by snapshot/ID alone, without variables.")
		}
	case o.Repository != "":
		if t.repository, err = project.CanonicalRepository(o.Repository); err == nil && o.Ref != "" {
			t.ref, err = o.Ref, project.CheckRef(o.Ref)
		}
	default:
		return t, problem.New(problem.Invalid, "Name a repository, or give a context URL.")
	}
	if err != nil {
		return t, problem.Wrap(err, problem.Invalid, "%s.", sentence(err.Error()))
	}
	p, repository, ok := s.c.Access.Facts().Projects.ForRepository(t.repository)
	if ok && (o.Project == "" || o.Project == p.Name || o.Project == string(p.ID)) {
		t.found, t.project, t.resource = true, p, repository.Resource(p.ID)
	}
	return t, nil
}

func projectResource(p project.Project) identity.Resource {
	return identity.Resource{Kind: identity.KindProject, Name: string(p.ID), Project: p.ID}
}

// sentence begins a clause with a capital letter.
func sentence(clause string) string {
	if clause == "" {
		return clause
	}
	return strings.ToUpper(clause[:1]) + clause[1:]
}
