package apiserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

func (s *server) directoryEndpoints() []endpoint {
	get := http.MethodGet
	read, whole := web.Needs(identity.DirectoryRead), installation
	return append([]endpoint{
		{method: get, path: "/directory", access: read, on: whole, serve: s.directory,
			says: "How the directory is read, how old it is and how much is in it. Takes the role admin or auditor", out: api.Directory{}},
		{method: get, path: "/directory/health", access: read, on: whole, serve: s.directoryHealth,
			says: "How Lanyard stands with the tenant, which is asked some things for it: credentials, permissions, notifications, and what to mend", out: api.DirectoryHealth{}},
		{method: get, path: "/directory/entry", access: read, on: whole, serve: s.directoryEntry,
			says: "The user or group that a name means", query: []param{{"name", "An object ID, u-…, a user principal name, app-role:… or a group's name"}},
			out: api.DirectoryEntry{}},
		{method: get, path: "/users", access: read, on: whole, serve: s.users,
			says: "All users of the directory, by object ID", query: paged(), out: api.Page[api.DirectoryUser]{}},
		{method: get, path: "/users/{id}", access: read, on: whole, serve: s.user,
			says: "A user with groups, app roles, projects and roles", out: api.DirectoryUserDetail{}},
		{method: get, path: "/groups", access: read, on: whole, serve: s.groups,
			says: "All groups and app roles of the directory, by object ID", query: paged(), out: api.Page[api.DirectoryGroup]{}},
		{method: get, path: "/groups/{id}", access: read, on: whole, serve: s.group,
			says: "A group or app role, where it is contained, and what it gives", out: api.DirectoryGroupDetail{}},
		{method: get, path: "/groups/{id}/members", access: read, on: whole, serve: s.members,
			says: "The direct members of a group or app role", query: paged(), out: api.Page[api.DirectoryMember]{}},
	}, s.signInTestEndpoints()...)
}

func installation(*http.Request, identity.Principal) (identity.Resource, error) {
	return identity.Installation(), nil
}

func (s *server) directory(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, s.directoryNow())
}

func (s *server) directoryNow() api.Directory {
	f := s.c.Access.Facts()
	d := api.Directory{
		Members: s.c.Members, AsOf: f.Directory.AsOf(), Memberships: f.Directory.Memberships(), State: "unread",
		StaleAfterSeconds: f.Bounds.Stale.Seconds(), CloseAfterSeconds: f.Bounds.Close.Seconds(),
	}
	if !d.AsOf.IsZero() {
		age := s.c.Now().Sub(d.AsOf)
		d.AgeSeconds = age.Seconds()
		switch {
		case age >= f.Bounds.Close:
			d.State = "expired"
		case age >= f.Bounds.Stale:
			d.State = "stale"
		default:
			d.State = "fresh"
		}
	}
	for u := range f.Directory.Users() {
		d.Users++
		if !u.Enabled {
			d.Disabled++
		}
	}
	for range f.Directory.Blocked() {
		d.Blocked++
	}
	for g := range f.Directory.AllGroups() {
		if _, role := g.ID.AppRole(); role {
			d.AppRoles++
		} else {
			d.Groups++
		}
	}
	return d
}

// directoryHealth has a bound of its own: a tenant that does not answer is a finding, not a wait.
func (s *server) directoryHealth(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), healthWithin)
	defer cancel()
	return answer(w, http.StatusOK, s.c.Health(ctx, s.directoryNow()))
}

const healthWithin = 25 * time.Second

func (s *server) users(w http.ResponseWriter, r *http.Request) error {
	d := s.c.Access.Facts().Directory
	page, err := pageFrom(r, d.Users(), func(u *directory.User) string { return u.ID.Object },
		func(u *directory.User) api.DirectoryUser { return userOf(d, u) })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) groups(w http.ResponseWriter, r *http.Request) error {
	d := s.c.Access.Facts().Directory
	page, err := pageFrom(r, d.AllGroups(), func(g *directory.Group) string { return g.ID.Object },
		func(g *directory.Group) api.DirectoryGroup { return groupOf(d, g) })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) user(w http.ResponseWriter, r *http.Request) error {
	f, name := s.c.Access.Facts(), r.PathValue("id")
	u, ok := f.Directory.FindUser(name)
	if !ok {
		return problem.New(problem.NotFound, "There is no single user %s in the directory.", strconv.QuoteToASCII(name))
	}
	return answer(w, http.StatusOK, userDetail(f, u))
}

func (s *server) group(w http.ResponseWriter, r *http.Request) error {
	f := s.c.Access.Facts()
	g, err := groupNamed(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, groupDetail(f, g))
}

func groupNamed(f *access.Facts, name string) (*directory.Group, error) {
	g, ok := f.Directory.FindGroup(name)
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no single group %s in the directory; give its object ID.", strconv.QuoteToASCII(name))
	}
	return g, nil
}

func (s *server) members(w http.ResponseWriter, r *http.Request) error {
	f := s.c.Access.Facts()
	g, err := groupNamed(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := pageFrom(r, f.Directory.Members(g.ID),
		func(m directory.Member) string { return m.User.Object + m.Group.Object }, // one of them is empty
		func(m directory.Member) api.DirectoryMember {
			if u, ok := f.Directory.User(m.User); ok {
				return api.DirectoryMember{User: m.User.Object, Name: u.Name, Known: true}
			}
			if g, ok := f.Directory.Group(m.Group); ok {
				return api.DirectoryMember{Group: m.Group.Object, Name: g.Name, Known: true}
			}
			return api.DirectoryMember{User: m.User.Object, Group: m.Group.Object}
		})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// directoryEntry finds what a name means. Where it is the name of a user and of a group, it means neither.
func (s *server) directoryEntry(w http.ResponseWriter, r *http.Request) error {
	f, name := s.c.Access.Facts(), r.URL.Query().Get("name")
	u, isUser := f.Directory.FindUser(name)
	g, isGroup := f.Directory.FindGroup(name)
	switch {
	case isUser && isGroup:
		return problem.New(problem.NotFound, "%s is a user (%s) and a group (%s); give the ID of the one that is meant.", strconv.QuoteToASCII(name), u.ID, g.ID)
	case isUser:
		detail := userDetail(f, u)
		return answer(w, http.StatusOK, api.DirectoryEntry{User: &detail})
	case isGroup:
		detail := groupDetail(f, g)
		return answer(w, http.StatusOK, api.DirectoryEntry{Group: &detail})
	}
	return problem.New(problem.NotFound, "There is no single user or group %s in the directory. Give an object ID, a user principal name, app-role:VALUE, or a name that only one group has.", strconv.QuoteToASCII(name))
}

func userOf(d *directory.Snapshot, u *directory.User) api.DirectoryUser {
	x := api.DirectoryUser{
		ID: u.ID.String(), Object: u.ID.Object, Name: u.Name, UserName: u.UserName, Mail: u.Mail,
		Enabled: u.Enabled, Blocked: u.Blocked, Active: u.Active(), SignInsFrom: u.SignInsFrom, DirectGroups: []string{},
	}
	for _, g := range d.DirectlyIn(directory.Member{User: u.ID}) {
		x.DirectGroups = append(x.DirectGroups, g.Object)
	}
	return x
}

func userDetail(f *access.Facts, u *directory.User) api.DirectoryUserDetail {
	x := api.DirectoryUserDetail{
		DirectoryUser: userOf(f.Directory, u), Groups: []api.Group{}, AppRoles: []api.Group{},
		Projects: holdings(f, u.ID), Roles: installationRoles(f, func(g identity.GroupID) bool { return f.Directory.InGroup(u.ID, g) }),
	}
	for _, g := range f.Directory.Groups(u.ID) {
		one := api.Group{ID: g.String(), Name: groupName(f, g), Path: pathTo(f, u.ID, g)}
		if _, role := g.AppRole(); role {
			x.AppRoles = append(x.AppRoles, one)
		} else {
			x.Groups = append(x.Groups, one)
		}
	}
	byName := func(a, b api.Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(x.Groups, byName)
	slices.SortFunc(x.AppRoles, byName)
	for _, row := range f.Sessions.SignInsOf(u.ID) {
		if row.Ended.IsZero() {
			x.SignIns++
		}
	}
	return x
}

// holdings are the projects in which a user holds a role.
func holdings(f *access.Facts, u identity.UserID) []api.Holding {
	list := []api.Holding{}
	for _, p := range f.Projects.All() { // by name
		if role, via := f.RoleIn(u, p.ID); role != "" {
			list = append(list, api.Holding{ID: string(p.ID), Name: p.Name, Role: role, Via: groupName(f, via), Path: pathTo(f, u, via)})
		}
	}
	return list
}

// installationRoles are the roles of the whole installation of whoever is in groups.
func installationRoles(f *access.Facts, holds func(identity.GroupID) bool) []string {
	list := []string{}
	for _, role := range []policy.Role{policy.Admin, policy.Auditor} {
		if f.Projects.Global(role, holds) {
			list = append(list, string(role))
		}
	}
	return list
}

func groupOf(d *directory.Snapshot, g *directory.Group) api.DirectoryGroup {
	x := api.DirectoryGroup{ID: g.ID.Object, Name: g.Name, Security: g.Security, Assigned: g.Assigned}
	if value, ok := g.ID.AppRole(); ok {
		x.AppRole = value
	}
	for m := range d.Members(g.ID) {
		if m.User.IsZero() {
			x.Groups++
		} else {
			x.Users++
		}
	}
	return x
}

func groupDetail(f *access.Facts, g *directory.Group) api.DirectoryGroupDetail {
	is := func(id identity.GroupID) bool { return id == g.ID }
	x := api.DirectoryGroupDetail{
		DirectoryGroup: groupOf(f.Directory, g), In: []api.DirectoryGroup{}, Projects: []api.Holding{}, Roles: installationRoles(f, is),
	}
	for _, parent := range f.Directory.DirectlyIn(directory.Member{Group: g.ID}) {
		if row, ok := f.Directory.Group(parent); ok {
			x.In = append(x.In, groupOf(f.Directory, row))
		}
	}
	for u := range f.Directory.Below(g.ID) {
		if f.Directory.InGroup(u, g.ID) { // an app role counts no nested ones
			x.Below++
		}
	}
	for _, p := range f.Projects.All() {
		if role, _ := p.Role(is); role != "" {
			x.Projects = append(x.Projects, api.Holding{ID: string(p.ID), Name: p.Name, Role: string(role)})
		}
	}
	return x
}
