package apiserver

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// grants lists what holds now: what somebody has, and of oneself also what one gave.
func (s *server) grants(w http.ResponseWriter, r *http.Request) error {
	user, err := s.subject(r, s.whose(identity.GrantList))
	if err != nil {
		return err
	}
	me := web.PrincipalFrom(r.Context()).User
	f, now := s.c.Access.Facts(), s.c.Now()
	list := []api.Grant{}
	for _, g := range s.c.Grants.Set().Every() {
		mine := user == me && g.By == me
		if holds(f, g, now) && (user.IsZero() || g.User == user || mine) {
			list = append(list, grantOf(f, g))
		}
	}
	page, err := pageOf(r, list, func(x api.Grant) string { return newestFirst(x.From) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// holds reports whether a grant gives anything now: a delegation ends with the session that delegated.
func holds(f *access.Facts, g *grant.Grant, now time.Time) bool {
	if g.Kind == grant.Delegation {
		if _, _, dead := f.Sessions.Live(g.Session, now); dead != "" {
			return false
		}
	}
	return g.Live(now)
}

func grantOf(f *access.Facts, g *grant.Grant) api.Grant {
	x := api.Grant{
		ID: string(g.ID), Kind: string(g.Kind), User: g.User.String(), UserName: userName(f, g.User), Agent: g.Agent, Session: string(g.Session),
		Role: string(g.Role), Why: g.Why, ByName: "operator", From: g.From, Until: g.Until,
	}
	for _, one := range g.Allowed {
		x.Allowed = append(x.Allowed, string(one.Action)+" "+allowedName(f, one))
	}
	if g.Project != "" {
		x.Project = resourceName(f, identity.Resource{Kind: identity.KindProject, Project: g.Project, Name: string(g.Project)})
		x.Project = strings.TrimPrefix(x.Project, "project ")
	}
	if !g.By.IsZero() {
		x.By, x.ByName = g.By.String(), userName(f, g.By)
	}
	return x
}

func allowedName(f *access.Facts, a grant.Allowed) string {
	on := identity.Resource{Kind: a.Kind, Name: a.Name, Project: a.Project}
	if a.Name != "" {
		return resourceName(f, on)
	}
	if p, ok := f.Projects.Project(a.Project); ok {
		return "every " + string(a.Kind) + " of " + p.Name
	}
	return "every " + string(a.Kind) + " of " + string(a.Project)
}

// alarms are the break-glass grants that hold now: everybody's for the zero user.
func (s *server) alarms(user identity.UserID) (list []api.Grant) {
	f, now := s.c.Access.Facts(), s.c.Now()
	for _, g := range s.c.Grants.Set().Every() {
		if g.Kind == grant.BreakGlass && g.Live(now) && (user.IsZero() || g.User == user) {
			list = append(list, grantOf(f, g))
		}
	}
	return list
}

func (s *server) endGrant(w http.ResponseWriter, r *http.Request) error {
	return s.revoked(w, r, api.Revoke{Kind: api.RevokeGrant, ID: r.PathValue("id")})
}

// delegate gives an AI agent a part of one's rights: every line must be allowed to oneself now.
func (s *server) delegate(w http.ResponseWriter, r *http.Request) error {
	who, err := s.somebody(r)
	if err != nil {
		return err
	}
	var d api.Delegate
	if err := read(r, &d); err != nil {
		return err
	}
	wanted, err := duration(d.For, grant.DefaultFor)
	if err != nil {
		return err
	}
	return s.open(w, r, identity.GrantDelegate, identity.Own(who.User), false, func(w http.ResponseWriter, r *http.Request) error {
		part := grant.Part{User: who.User, Session: who.Session, Agent: d.Agent, Why: d.Why, For: wanted}
		if row, signIn, ok := s.c.Access.Facts().Sessions.Session(who.Session); ok {
			part.Ends = session.Until(row, signIn)
		}
		for _, line := range d.Allow {
			allowed, err := s.mine(r, line)
			if err != nil {
				return err
			}
			part.Allowed = append(part.Allowed, allowed)
		}
		g, err := s.c.Grants.Delegate(r.Context(), part, s.event(r, string(identity.GrantDelegate), identity.Own(who.User)))
		if err != nil {
			return err
		}
		return answer(w, http.StatusCreated, grantOf(s.c.Access.Facts(), &g))
	})
}

// mine reads a line of a delegation and refuses, by name, what the person may not do now.
func (s *server) mine(r *http.Request, line api.DelegateLine) (grant.Allowed, error) {
	action := identity.Action(line.Action)
	who := web.PrincipalFrom(r.Context())
	kind, _, _ := strings.Cut(line.Action, ":")
	if kind == "grant" || kind == "self" {
		return grant.Allowed{}, problem.New(problem.Denied, "%s cannot be delegated: asking, approving and delegating are for people.", strconv.QuoteToASCII(line.Action))
	}
	name, every := strings.CutSuffix(line.Resource, "/*")
	on, found := []identity.Resource(nil), false
	allowed := grant.Allowed{Action: action}
	if every {
		var p project.Project
		if p, found = s.c.Access.Facts().Projects.ByName(name); found {
			allowed.Project, allowed.Kind = p.ID, identity.KindRepo
			for _, one := range p.Repositories {
				on = append(on, one.Resource(p.ID))
			}
			switch kind {
			case "app":
				on, allowed.Kind = nil, identity.KindApp
				for _, one := range p.Apps {
					on = append(on, one.Resource(p.ID))
				}
			case "registry":
				on, allowed.Kind = nil, identity.KindRegistry
				for _, one := range p.Registries {
					on = append(on, one.Resource(p.ID))
				}
			case "egress":
				on, allowed.Kind = nil, identity.KindEgress
				for _, one := range p.Workspace.Egress {
					on = append(on, one.Resource(p.ID))
				}
			case "token":
				on, allowed.Kind = nil, identity.KindAudience
				for _, one := range p.Audiences {
					on = append(on, one.Resource(p.ID))
				}
			}
		}
		found = found && len(on) > 0
	} else {
		one, ok, err := s.resource(action, line.Resource, who.User)
		if err != nil {
			return allowed, err
		}
		on, found = []identity.Resource{one}, ok
		allowed.Kind, allowed.Name, allowed.Project = one.Kind, one.Name, one.Project
	}
	notHere := problem.New(problem.NotFound, "%s", access.NotHere(allowed.Kind, strconv.QuoteToASCII(line.Resource)))
	if !found {
		return allowed, notHere
	}
	for _, one := range on {
		switch x := s.c.Access.Explain(r.Context(), s.request(r, action, one)); {
		case x.Effect == access.Allow:
		case x.Hidden:
			return allowed, notHere
		default:
			return allowed, problem.New(problem.Denied, "You cannot delegate %s on %s, since you may not do it yourself now: %s.",
				strconv.QuoteToASCII(line.Action), one, strings.Join(x.Reasons, "; "))
		}
	}
	return allowed, nil
}

// defaultEmergency is how long a broken glass stays so where nothing is said.
const defaultEmergency = 30 * time.Minute

// breakGlass gives a role without approval. Neither administrators nor anybody else do so for themselves.
func (s *server) breakGlass(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	var b api.BreakGlass
	if err := read(r, &b); err != nil {
		return err
	}
	wanted, err := duration(b.For, defaultEmergency)
	if err != nil {
		return err
	}
	f := s.c.Access.Facts()
	user, isUser := f.Directory.FindUser(b.User)
	p, isProject := f.Projects.ByName(b.Project)
	if !isUser || !isProject { // who may not do it at all learns nothing about who and what there is
		return s.open(w, r, identity.GrantBreakGlass, identity.Resource{Kind: identity.KindProject}, false, func(http.ResponseWriter, *http.Request) error {
			if !isUser {
				return problem.New(problem.NotFound, "There is no single user %s in the directory.", strconv.QuoteToASCII(b.User))
			}
			return problem.New(problem.NotFound, "There is no project %s.", strconv.QuoteToASCII(b.Project))
		})
	}
	on := grantResource("", user.ID, p.ID)
	err = s.open(w, r, identity.GrantBreakGlass, on, false, func(w http.ResponseWriter, r *http.Request) error {
		if !user.Active() {
			return problem.New(problem.Conflict, "%s is disabled in the directory; breaking the glass does not change that.", user.Name)
		}
		by := s.event(r, string(identity.GrantBreakGlass), on)
		by.Resource = "project " + p.Name
		g, err := s.c.Grants.BreakGlass(r.Context(), grant.Emergency{
			User: user.ID, Project: p.ID, Role: policy.Role(b.Role), Why: b.Why, For: wanted, By: web.PrincipalFrom(r.Context()).User,
		}, by)
		if err != nil {
			return err
		}
		return answer(w, http.StatusCreated, grantOf(f, &g))
	})
	return forThemselves(r, user.ID, err, "Nobody breaks the glass for themselves: another administrator or the operator has to.")
}
