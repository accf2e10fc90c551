package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/web"
)

// fromSignIn is Config.Members where groups and app roles are those that each sign-in brings.
const fromSignIn = "sign-in"

// SignInTests is what the API asks of signin.Service.
type SignInTests interface {
	NewTrial(ctx context.Context, by string) (signin.Trial, error)
	Trial(ctx context.Context, id string) (signin.Trial, error)
}

func (s *server) signInTestEndpoints() []endpoint {
	if s.c.SignInTests == nil {
		return nil
	}
	read := web.Needs(identity.DirectoryRead)
	return []endpoint{
		{method: http.MethodPost, path: "/directory/sign-in-tests", access: read, on: installation, serve: s.newSignInTest,
			says: "Makes a link with which one person tests their sign-in; no session begins by it", in: struct{}{}, out: api.SignInTest{}, status: http.StatusCreated},
		{method: http.MethodGet, path: "/directory/sign-in-tests/{id}", access: read, on: installation, serve: s.signInTest,
			says: "How a test stands: the claims that came, and the roles that follow from them", out: api.SignInTest{}},
	}
}

func (s *server) newSignInTest(w http.ResponseWriter, r *http.Request) error {
	var nothing struct{}
	if err := read(r, &nothing); err != nil {
		return err
	}
	t, err := s.c.SignInTests.NewTrial(r.Context(), s.introduced(web.PrincipalFrom(r.Context())))
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, SignInTest(s.c.Access.Facts(), s.c.Members, t))
}

// introduced is how somebody who is asked to do something for a principal is told who that is.
func (s *server) introduced(p identity.Principal) string {
	if p.Kind == identity.Operator {
		return "The operator of this server"
	}
	if u, ok := s.c.Access.Facts().Directory.User(p.User); ok {
		return fmt.Sprintf("%s (%s)", u.Name, u.UserName)
	}
	return p.User.String()
}

func (s *server) signInTest(w http.ResponseWriter, r *http.Request) error {
	t, err := s.c.SignInTests.Trial(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, SignInTest(s.c.Access.Facts(), s.c.Members, t))
}

// SignInTest is a test as it is shown, with what follows from it for Lanyard now.
func SignInTest(f *access.Facts, members string, t signin.Trial) api.SignInTest {
	x := api.SignInTest{
		ID: t.ID, URL: t.URL, Ends: t.Ends, State: "waiting", At: t.At, Problem: t.Problem, Name: t.Name, Renewed: t.Refresh,
		Claims: []api.Claim{}, Groups: []api.Group{}, AppRoles: []api.Group{}, Projects: []api.Holding{}, Roles: []string{},
	}
	switch {
	case t.Problem != "":
		x.State = "refused"
		return x
	case !t.Over():
		return x
	}
	x.State, x.User = "done", t.User.String()
	for name, value := range t.Claims {
		x.Claims = append(x.Claims, api.Claim{Name: name, Value: string(value)})
	}
	slices.SortFunc(x.Claims, func(a, b api.Claim) int { return strings.Compare(a.Name, b.Name) })
	u, known := f.Directory.User(t.User)
	x.Known = known
	if known {
		x.Active = u.Active()
	}
	if members == fromSignIn {
		ofClaims(&x, f, t)
	} else if known {
		d := userDetail(f, u)
		x.Groups, x.AppRoles, x.Projects, x.Roles = d.Groups, d.AppRoles, d.Projects, d.Roles
	}
	return x
}

// ofClaims is what follows where groups and app roles are those that each sign-in brings.
func ofClaims(x *api.SignInTest, f *access.Facts, t signin.Trial) {
	held := map[identity.GroupID]bool{}
	for _, id := range t.Groups {
		g := identity.GroupID{Tenant: t.User.Tenant, Object: id}
		held[g] = true
		x.Groups = append(x.Groups, api.Group{ID: g.String(), Name: groupName(f, g), Path: []string{}})
	}
	for _, value := range t.Roles {
		g := identity.AppRole(t.User.Tenant, value)
		held[g] = true
		x.AppRoles = append(x.AppRoles, api.Group{ID: g.String(), Name: groupName(f, g), Path: []string{}})
	}
	holds := func(g identity.GroupID) bool { return held[g] }
	x.Roles = installationRoles(f, holds)
	for _, p := range f.Projects.All() {
		if role, via := p.Role(holds); role != "" {
			x.Projects = append(x.Projects, api.Holding{ID: string(p.ID), Name: p.Name, Role: string(role), Via: groupName(f, via), Path: []string{}})
		}
	}
}
