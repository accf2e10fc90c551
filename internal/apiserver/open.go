package apiserver

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

type (
	// resourceOf makes the resource of a route whose action is fixed.
	resourceOf = func(*http.Request, identity.Principal) (identity.Resource, error)
	// chooser says what a request needs, where that depends on who asks or on the request.
	chooser func(*http.Request, identity.Principal) (identity.Action, identity.Resource, error)
)

// under serves with a lease on what choose says.
func (s *server) under(choose chooser, serve web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		action, resource, err := choose(r, web.PrincipalFrom(r.Context()))
		if err != nil {
			return err
		}
		return s.open(w, r, action, resource, false, serve)
	}
}

// open serves with a lease. Durable wants the audit entry on disk first.
func (s *server) open(w http.ResponseWriter, r *http.Request, action identity.Action, on identity.Resource, durable bool, serve web.Handler) error {
	request := s.request(r, action, on)
	request.Durable = durable
	return s.openFor(w, r, request, serve)
}

// openFor is open for a request that says more.
func (s *server) openFor(w http.ResponseWriter, r *http.Request, request access.Request, serve web.Handler) error {
	ctx, lease, err := s.c.Access.Open(r.Context(), request, nil)
	if err != nil {
		return err
	}
	defer lease.End()
	defer web.Hold(lease, w, r)()
	err = serve(w, r.WithContext(ctx))
	if reason := lease.Reason(); !reason.IsZero() {
		return problem.Wrap(reason, problem.Denied, "Access has just ended: %s.", reason.Text)
	}
	return err
}

func (s *server) request(r *http.Request, action identity.Action, on identity.Resource) access.Request {
	path := r.URL.Path
	if id, err := identity.ParseSnapshotID(r.PathValue("id")); err == nil { // who reads the log does not learn what opens it
		path = strings.Replace(path, string(id), id.Fingerprint(), 1)
	}
	request := access.Request{
		Principal: web.PrincipalFrom(r.Context()), Action: action, Resource: on, IP: web.ClientIP(r),
		Detail: map[string]any{"method": r.Method, "path": path},
	}
	if on.Kind == identity.KindWorkspace {
		if row, ok := s.c.Workspaces.Get(identity.WorkspaceID(on.Name)); ok {
			request.Class = s.className(row)
		}
	}
	return request
}

// may asks without opening anything: which items a list shows, which buttons a page has.
func (s *server) may(r *http.Request, action identity.Action, on identity.Resource) bool {
	return s.c.Access.May(s.request(r, action, on))
}

// self chooses the right to see oneself; the operator has no self, and needs to be allowed to list workspaces.
func (s *server) self(_ *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
	if who.Kind == identity.Operator {
		return identity.WorkspaceList, identity.Installation(), nil
	}
	return identity.SelfView, identity.Own(who.User), nil
}

// whose chooses an action on the own things of the user that the query names: one's own when it names nobody,
// everybody's for "*". The operator's own are everybody's.
func (s *server) whose(action identity.Action) chooser {
	return func(r *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
		name := r.URL.Query().Get("user")
		switch {
		case name == "*", name == "" && who.Kind == identity.Operator:
			return action, identity.Installation(), nil
		case name == "":
			return action, identity.Own(who.User), nil
		}
		user, err := s.named(r, action, name)
		return action, identity.Own(user), err
	}
}

// named finds the user of a name. Who may not act on everybody learns nothing about others, not even that there is
// no such user.
func (s *server) named(r *http.Request, action identity.Action, name string) (identity.UserID, error) {
	if err := known(r); err != nil { // a stranger makes nobody look through the directory
		return identity.UserID{}, err
	}
	who := web.PrincipalFrom(r.Context())
	user, found := s.c.Access.Facts().Directory.FindUser(name)
	if found && user.ID == who.User {
		return who.User, nil
	}
	if found && s.may(r, action, identity.Own(user.ID)) {
		return user.ID, nil
	}
	if !s.may(r, action, identity.Installation()) {
		return identity.UserID{}, problem.New(problem.Denied, "Not allowed: %s for others takes a role of the installation (admin or auditor).", action)
	}
	return identity.UserID{}, problem.New(problem.NotFound, "There is no single user %q in the directory.", name)
}

// known refuses who is not signed in, where something is looked up before a lease can be asked for.
func known(r *http.Request) error {
	if web.PrincipalFrom(r.Context()).Kind == identity.Anonymous {
		return problem.New(problem.SignInNeeded, "Sign in first: nobody is signed in.")
	}
	return nil
}

// subject is the user that a resource chosen by whose is about; zero for everybody.
func (s *server) subject(r *http.Request, choose chooser) (identity.UserID, error) {
	_, on, err := choose(r, web.PrincipalFrom(r.Context()))
	return on.Owner, err
}
