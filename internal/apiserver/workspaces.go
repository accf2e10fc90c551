package apiserver

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// workspaces lists the workspaces that who asks may list.
func (s *server) workspaces(w http.ResponseWriter, r *http.Request) error {
	var list []api.Workspace
	for _, row := range s.c.Workspaces.List() {
		if s.may(r, identity.WorkspaceList, workspaceResource(row)) {
			list = append(list, s.wire(r, row))
		}
	}
	page, err := pageOf(r, list, func(x api.Workspace) string { return newestFirst(x.Created) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// create starts a workspace. The action's resource is the repository that the body names.
func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	var o api.Order
	if err := read(r, &o); err != nil {
		return err
	}
	if id, ok, err := snapshotContext(o.ContextURL); ok || err != nil {
		return s.createFromSnapshot(w, r, o, id, err)
	}
	t, err := s.target(o)
	if err != nil {
		return err
	}
	if !t.found { // decided all the same, so that the attempt is in the log
		t.resource = identity.Resource{Kind: identity.KindRepo, Name: t.repository}
	}
	request := s.request(r, identity.WorkspaceCreate, t.resource)
	request.Durable, request.Class = true, s.className(workspace.Workspace{Project: t.project.ID, Details: workspace.Details{Class: o.Class}})
	err = s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error {
		if !t.found {
			return t.notHere()
		}
		details, err := s.details(o, t)
		if err != nil {
			return err
		}
		who := web.PrincipalFrom(r.Context())
		order := workspace.Order{
			Owner: who.User, OwnerName: userName(s.c.Access.Facts(), who.User), Session: who.Session,
			Project: t.project.ID, Repository: t.repository, Ref: t.ref, IP: web.ClientIP(r), Details: details,
		}
		if s.c.There != nil {
			if err := s.c.There(r.Context(), who, order); err != nil {
				return err
			}
		}
		row, err := s.c.Workspaces.Create(r.Context(), order)
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/api/v1/workspaces/"+string(row.ID))
		return answer(w, http.StatusCreated, s.wire(r, row))
	})
	if reason, ok := errors.AsType[access.Reason](err); ok && !t.found && reason.Code == access.NotPermitted {
		return t.notHere()
	}
	return err
}

func (s *server) workspace(w http.ResponseWriter, r *http.Request) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.wire(r, row))
}

func (s *server) start(w http.ResponseWriter, r *http.Request) error {
	return s.want(w, r, identity.WorkspaceStart, workspace.WantRunning)
}

func (s *server) stop(w http.ResponseWriter, r *http.Request) error {
	return s.want(w, r, identity.WorkspaceStop, workspace.WantStopped)
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) error {
	return s.want(w, r, identity.WorkspaceDelete, workspace.WantDeleted)
}

func (s *server) want(w http.ResponseWriter, r *http.Request, action identity.Action, want workspace.Desired) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	if want == workspace.WantDeleted {
		if err := s.losesNothing(r, row); err != nil {
			return err
		}
	}
	by := s.event(r, string(action), workspaceResource(row))
	by.Workspace = row.ID
	if err := s.c.Workspaces.Want(r.Context(), row.ID, want, by); err != nil {
		return err
	}
	if want == workspace.WantDeleted {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if row, err = s.row(r); err != nil {
		return err
	}
	return answer(w, http.StatusAccepted, s.wire(r, row))
}

// row finds the workspace of the address. What is not there is answered as what is hidden is.
func (s *server) row(r *http.Request) (workspace.Workspace, error) {
	asked := r.PathValue("id")
	id, err := identity.ParseWorkspaceID(asked)
	if err != nil {
		return workspace.Workspace{}, problem.Wrap(err, problem.Invalid, "%q is not a workspace's ID; it looks like w-abcdefghij234567.", asked)
	}
	row, ok := s.c.Workspaces.Get(id)
	if !ok {
		return workspace.Workspace{}, problem.New(problem.NotFound, "%s", access.NotHere(identity.KindWorkspace, asked))
	}
	return row, nil
}

func (s *server) workspaceIn(r *http.Request, _ identity.Principal) (identity.Resource, error) {
	row, err := s.row(r)
	return workspaceResource(row), err
}

func (s *server) onWorkspace(action identity.Action) chooser {
	return func(r *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
		on, err := s.workspaceIn(r, who)
		return action, on, err
	}
}

// exec hands the request to the gateway once it is somebody's and names a workspace.
func (s *server) exec(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	row, err := s.row(r)
	if err != nil {
		return err
	}
	return s.c.Exec(w, r, row.ID)
}

func (s *server) forward(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	port, err := strconv.ParseUint(r.PathValue("port"), 10, 16)
	if err != nil {
		return problem.New(problem.Invalid, "%q is not a port; they go from 1 to 65535.", r.PathValue("port"))
	}
	row, err := s.row(r)
	if err != nil {
		return err
	}
	return s.c.Forward(w, r, row.ID, int(port))
}

func (s *server) wire(r *http.Request, row workspace.Workspace) api.Workspace {
	x := api.Workspace{
		ID: string(row.ID), Owner: row.Owner.String(), OwnerName: row.OwnerName, Project: string(row.Project),
		Repository: row.Repository, Ref: row.Ref, Name: row.Name, Desired: string(row.Desired), Phase: string(row.Phase),
		Message: row.Message, Created: row.Created, Changed: row.Changed,
		Own: row.Owner == web.PrincipalFrom(r.Context()).User, Can: []string{},
	}
	if p, ok := s.c.Access.Facts().Projects.Project(row.Project); ok {
		x.Project = p.Name
	}
	for _, action := range []identity.Action{identity.WorkspaceOpen, identity.WorkspaceStart, identity.WorkspaceStop, identity.WorkspaceDelete} {
		if s.may(r, action, workspaceResource(row)) {
			x.Can = append(x.Can, strings.TrimPrefix(string(action), "workspace:"))
		}
	}
	if slices.Contains(x.Can, "open") {
		x.Terminal = s.c.Terminal(row.ID)
	}
	s.machine(&x, row)
	return x
}

func workspaceResource(row workspace.Workspace) identity.Resource {
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(row.ID), Project: row.Project, Owner: row.Owner}
}

// event is an audit event of who asks.
func (s *server) event(r *http.Request, action string, on identity.Resource) audit.Event {
	f, who := s.c.Access.Facts(), web.PrincipalFrom(r.Context())
	e := audit.Event{
		Time: s.c.Now(), Action: action, Outcome: audit.Done, Session: who.Session, Resource: on.String(), IP: web.ClientIP(r),
	}
	if who.Kind == identity.Operator {
		e.Actor = "operator"
	} else {
		e.User = audit.PersonOf(who.User, userName(f, who.User))
	}
	if p, ok := f.Projects.Project(on.Project); ok {
		e.Project = p.Name
	}
	return e
}

// newestFirst is a key that sorts a later time first.
func newestFirst(t time.Time) string { return fmt.Sprintf("%019d.", math.MaxInt64-t.UnixNano()) }
