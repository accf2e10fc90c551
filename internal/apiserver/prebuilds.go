package apiserver

import (
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Prebuilds are checkouts that are made ready ahead.
type Prebuilds interface {
	Get(context.Context, identity.PrebuildID) (prebuild.Row, bool, error)
	List(context.Context) ([]prebuild.Row, error)
	// Order makes one of a branch (empty: the default one) for who asks; the event is stored with it.
	Order(ctx context.Context, repository, ref, who string, event audit.Event) (prebuild.Row, error)
	Delete(context.Context, identity.PrebuildID, audit.Event) error
}

func (s *server) prebuildEndpoints() []endpoint {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	const reading = "repo:read on its repository"
	const maintaining = "repo:maintain on its repository"
	return []endpoint{
		{method: get, path: "/prebuilds", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.prebuilds), query: paged(param{"project", "Of this project alone, by its name"}), out: api.Page[api.Prebuild]{},
			says: "The prebuilds of repositories that one may read, newest first, without what was said while they were made"},
		{method: post, path: "/prebuilds", access: web.Asks(maintaining), serve: s.runPrebuild, in: api.RunPrebuild{}, out: api.Prebuild{}, status: http.StatusCreated,
			says: "Has a prebuild of a branch made, for the project's maintainers"},
		{method: get, path: "/prebuilds/{id}", access: web.Asks(reading), serve: s.prebuild, out: api.Prebuild{},
			says: "One prebuild, with what was said while it was made"},
		{method: del, path: "/prebuilds/{id}", access: web.Asks(maintaining), serve: s.deletePrebuild, status: http.StatusNoContent,
			says: "Removes a prebuild, and ends one that is being made, for the project's maintainers"},
	}
}

// prebuildOf is the repository that a prebuild is of, as a resource of the project that it was made for.
func prebuildOf(row prebuild.Row) identity.Resource {
	return project.Repository{URL: row.Repository}.Resource(row.Project)
}

func (s *server) prebuilds(w http.ResponseWriter, r *http.Request) error {
	all, err := s.c.Prebuilds.List(r.Context())
	if err != nil {
		return err
	}
	var list []api.Prebuild
	wanted := r.URL.Query().Get("project")
	for _, row := range all {
		if p, _ := s.c.Access.Facts().Projects.Project(row.Project); wanted != "" && p.Name != wanted {
			continue
		}
		if s.may(r, identity.RepoRead, prebuildOf(row)) {
			row.Log = ""
			list = append(list, s.prebuildShown(r, row))
		}
	}
	page, err := pageOf(r, list, func(x api.Prebuild) string { return newestFirst(x.Created) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) runPrebuild(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	var o api.RunPrebuild
	if err := read(r, &o); err != nil {
		return err
	}
	url, ref, err := project.ParseContextURL(o.ContextURL)
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "%v.", err)
	}
	p, repository, ok := s.c.Access.Facts().Projects.ForRepository(url)
	if !ok {
		return problem.New(problem.NotFound, "There is no repository %s here that you may use.", url)
	}
	on := repository.Resource(p.ID)
	return s.open(w, r, identity.RepoMaintain, on, false, func(w http.ResponseWriter, r *http.Request) error {
		event := s.event(r, "prebuild:order", on)
		who := event.Actor
		if event.User != nil {
			who = event.User.Name
		}
		row, err := s.c.Prebuilds.Order(r.Context(), repository.URL, ref, who, event)
		if err != nil {
			return err
		}
		return answer(w, http.StatusCreated, s.prebuildShown(r, row))
	})
}

// prebuildIn finds the prebuild of the address.
func (s *server) prebuildIn(r *http.Request) (prebuild.Row, error) {
	if err := known(r); err != nil {
		return prebuild.Row{}, err
	}
	asked := r.PathValue("id")
	id, err := identity.ParsePrebuildID(asked)
	if err != nil {
		return prebuild.Row{}, problem.Wrap(err, problem.Invalid, "%q is not a prebuild's ID; it looks like pre-abcdefghij234567.", asked)
	}
	row, found, err := s.c.Prebuilds.Get(r.Context(), id)
	if err == nil && !found {
		err = prebuild.NotHere(asked)
	}
	return row, err
}

func (s *server) prebuild(w http.ResponseWriter, r *http.Request) error {
	row, err := s.prebuildIn(r)
	if err != nil {
		return err
	}
	return hidePrebuild(s.open(w, r, identity.RepoRead, prebuildOf(row), false, func(w http.ResponseWriter, r *http.Request) error {
		return answer(w, http.StatusOK, s.prebuildShown(r, row))
	}), row)
}

func (s *server) deletePrebuild(w http.ResponseWriter, r *http.Request) error {
	row, err := s.prebuildIn(r)
	if err != nil {
		return err
	}
	on := prebuildOf(row)
	return hidePrebuild(s.open(w, r, identity.RepoMaintain, on, false, func(w http.ResponseWriter, r *http.Request) error {
		event := s.event(r, "prebuild:delete", on)
		event.Detail = map[string]any{"prebuild": row.ID}
		if err := s.c.Prebuilds.Delete(r.Context(), row.ID, event); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}), row)
}

// hidePrebuild tells who may not know of a repository no more than that there is no such prebuild.
func hidePrebuild(err error, row prebuild.Row) error {
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return prebuild.NotHere(string(row.ID))
	}
	return err
}

func (s *server) prebuildShown(r *http.Request, row prebuild.Row) api.Prebuild {
	x := api.Prebuild{
		ID: string(row.ID), Project: string(row.Project), Repository: row.Repository, Ref: row.Ref, Commit: row.Commit, Cause: row.Cause, State: string(row.State),
		Message: row.Message, Log: row.Log, Size: row.Size, Digest: row.Digest, Created: row.Created, Can: []string{},
	}
	if !row.Started.IsZero() {
		x.Started = &row.Started
	}
	if !row.Ended.IsZero() {
		x.Ended, x.Expires = &row.Ended, &row.Expires
	}
	if p, ok := s.c.Access.Facts().Projects.Project(row.Project); ok {
		x.Project = p.Name
	}
	if s.may(r, identity.RepoMaintain, prebuildOf(row)) {
		x.Can = append(x.Can, "run", "delete")
	}
	return x
}
