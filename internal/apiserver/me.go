package apiserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/web"
)

// me says who asks and through which groups.
func (s *server) me(w http.ResponseWriter, r *http.Request) error {
	me := api.Me{Groups: []api.Group{}, Projects: []api.Holding{}, Roles: []string{}}
	who := web.PrincipalFrom(r.Context())
	if who.Kind == identity.Operator {
		me.Operator = true
		return answer(w, http.StatusOK, me)
	}
	f := s.c.Access.Facts()
	user, ok := f.Directory.User(who.User)
	if !ok {
		return problem.New(problem.Denied, "Your account is no longer in the directory.")
	}
	me.User, me.Name, me.UserName, me.Mail = user.ID.String(), user.Name, user.UserName, user.Mail
	for _, g := range f.Directory.Groups(user.ID) {
		me.Groups = append(me.Groups, api.Group{ID: g.String(), Name: groupName(f, g), Path: pathTo(f, user.ID, g)})
	}
	slices.SortFunc(me.Groups, func(a, b api.Group) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	me.Projects = holdings(f, user.ID)
	me.Roles = installationRoles(f, func(g identity.GroupID) bool { return f.Directory.InGroup(user.ID, g) })
	if row, signIn, ok := f.Sessions.Session(who.Session); ok {
		me.Session = string(row.ID)
		here := signInOf(f, signIn, row.ID)
		here.User, here.UserName = "", "" // said already
		here.Sessions = slices.DeleteFunc(here.Sessions, func(x api.Session) bool { return !x.Current })
		me.SignIn = &here
	}
	return answer(w, http.StatusOK, me)
}

// sessions lists sign-ins and what hangs below them. Neither cookies nor tokens are among what is kept of them here.
func (s *server) sessions(w http.ResponseWriter, r *http.Request) error {
	user, err := s.subject(r, s.whose(identity.LeaseList))
	if err != nil {
		return err
	}
	f := s.c.Access.Facts()
	var rows []*session.SignIn
	if user.IsZero() {
		for row := range f.Sessions.All {
			rows = append(rows, row)
		}
	} else {
		rows = f.Sessions.SignInsOf(user)
	}
	here := web.PrincipalFrom(r.Context()).Session
	list := make([]api.SignIn, 0, len(rows))
	for _, row := range rows {
		list = append(list, signInOf(f, row, here))
	}
	page, err := pageOf(r, list, func(x api.SignIn) string { return newestFirst(x.At) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func signInOf(f *access.Facts, row *session.SignIn, here identity.SessionID) api.SignIn {
	x := api.SignIn{
		ID: string(row.ID), User: row.User.String(), UserName: userName(f, row.User), At: row.At, Expires: row.Expires,
		Strength: row.Strength, Contexts: row.Contexts, IP: row.IP, Guest: row.Guest, Ended: row.Ended, EndedWhy: row.EndedWhy,
	}
	if row.Agent != "" {
		x.Device = review.Device(row.Agent)
	}
	for _, below := range f.Sessions.Below(row.ID) {
		current := below.ID == here && here != ""
		x.Current = x.Current || current
		x.Sessions = append(x.Sessions, api.Session{
			ID: string(below.ID), Kind: below.Called(), Site: below.Site, Workspace: string(below.Workspace),
			Client: below.Client, Device: below.Device, Bound: below.Key != "", Agent: below.Agent,
			Created: below.Created, Ended: below.Ended, EndedWhy: below.EndedWhy, Current: current,
		})
	}
	return x
}

// pathTo names the groups from g down to the one that has the user as a direct member.
func pathTo(f *access.Facts, u identity.UserID, g identity.GroupID) []string {
	path := f.Directory.Path(u, g)
	names := make([]string, len(path))
	for i, step := range path {
		names[len(path)-1-i] = groupName(f, step)
	}
	return names
}

func groupName(f *access.Facts, g identity.GroupID) string {
	if group, ok := f.Directory.Group(g); ok && group.Name != "" {
		return group.Name
	}
	return g.String()
}

// userName is a user's display name; the ID where the directory has none.
func userName(f *access.Facts, u identity.UserID) string {
	var user *directory.User
	if user, _ = f.Directory.User(u); user != nil && user.Name != "" {
		return user.Name
	}
	return u.String()
}
