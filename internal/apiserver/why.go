package apiserver

import (
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// about chooses the right to have decisions explained: about oneself, or about the user that the query names.
func (s *server) about(r *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
	name := r.URL.Query().Get("user")
	if name == "" {
		if who.Kind == identity.Operator {
			return "", identity.Resource{}, problem.New(problem.Invalid, "Name the user that the question is about.")
		}
		return identity.DecisionExplain, identity.Own(who.User), nil
	}
	user, err := s.named(r, identity.DecisionExplain, name)
	return identity.DecisionExplain, identity.Own(user), err
}

// known refuses an action that does not exist: "denied" would be true, and would hide that it was misspelt.
func (s *server) known(action identity.Action) error {
	all := s.c.Access.Facts().Policies.Actions()
	if slices.Contains(all, action) {
		return nil
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	return problem.New(problem.Invalid, "There is no action %q. The actions are %s.", action, strings.Join(names, ", "))
}

// why explains a decision without making it count.
func (s *server) why(w http.ResponseWriter, r *http.Request) error {
	user, err := s.subject(r, s.about)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	asked := q.Get("resource")
	action := identity.Action(q.Get("action"))
	if action == "" || asked == "" {
		return problem.New(problem.Invalid, "Name an action, such as repo:write, and a resource.")
	}
	if err := s.known(action); err != nil {
		return err
	}
	who := web.PrincipalFrom(r.Context())
	on, found, err := s.resource(action, asked, user)
	if err != nil {
		return err
	}
	request := s.request(r, action, on)
	request.Detail = nil
	var x access.Explanation
	if user == who.User {
		x = s.c.Access.Explain(r.Context(), request)
	} else {
		request.Principal, request.IP = identity.Principal{Kind: identity.Person, User: user}, "" // where the auditor sits says nothing
		x = s.c.Access.Standing(request)
	}
	answered := api.Why{
		Decision: x.Effect.String(), Action: string(action), Resource: asked, User: user.String(), UserName: x.UserName,
		Reasons: []string{}, Policies: []string{}, Facts: []string{}, Rules: []api.WhyRule{}, Needs: []string{},
	}
	// Who asks about others sees everything by role. For others what is hidden looks as if it were not there.
	all := s.may(r, identity.DecisionExplain, identity.Installation())
	switch {
	case !found && all:
		return problem.New(problem.NotFound, "There is no such resource: %s. Give a repository's URL, PROJECT/NAME or a workspace's ID.", strconv.QuoteToASCII(asked))
	case !found, x.Hidden && !all:
		answered.Decision, answered.Code = access.Deny.String(), string(access.NoRole)
		answered.Reasons = []string{access.NotHere(on.Kind, strconv.QuoteToASCII(asked))}
	default:
		answered.Code, answered.Project, answered.Role, answered.Via = string(x.Code), x.Project, string(x.Role), x.Via
		answered.Until = x.Until
		answered.Path = slices.Clone(x.Path)
		slices.Reverse(answered.Path)
		answered.Reasons = append(answered.Reasons, x.Reasons...)
		answered.Policies = append(answered.Policies, x.Policies...)
		answered.Facts = facts(s.c.Access.Facts(), user, x)
		explainFully(s.c.Access.Facts(), &answered, x)
	}
	return answer(w, http.StatusOK, answered)
}

// explainFully adds what stands behind a decision that may be seen: outcome, policies, grant, circumstances.
func explainFully(f *access.Facts, w *api.Why, x access.Explanation) {
	switch x.Effect {
	case access.StepUp:
		w.Context = x.Context
	case access.Approval:
		w.Approvers, w.Run = groupName(f, x.Approvers), x.Next
	}
	for _, r := range x.Rules {
		effect := "permit"
		if r.Forbid {
			effect = "forbid"
		}
		w.Rules = append(w.Rules, api.WhyRule{ID: r.ID, Effect: effect, File: r.File, Line: r.Line, Text: r.Text})
	}
	w.Needs = append(w.Needs, x.Needs...)
	if g := x.Grant; g != nil {
		w.Grant = &api.WhyGrant{ID: string(g.ID), Kind: string(g.Kind), Why: g.Why, Until: g.Until, By: "operator"}
		if !g.By.IsZero() {
			w.Grant.By = userName(f, g.By)
		}
	}
	c := x.Circumstances
	known := map[string]any{}
	for name, value := range map[string]string{"session": c.Session, "agent": c.Agent, "strength": c.Strength, "class": c.Class} {
		if value != "" {
			known[name] = value
		}
	}
	if c.IP.IsValid() {
		known["ip"] = c.IP.String()
	}
	if !c.SignedIn.IsZero() {
		known["signed_in"] = c.SignedIn.UTC().Format(time.RFC3339)
	}
	if c.Contexts != "" {
		known["contexts"] = strings.Fields(c.Contexts)
	}
	if len(known) > 0 {
		w.Circumstances = known
	}
}

// resource reads the resource of a question. What is not found still has its kind.
func (s *server) resource(action identity.Action, asked string, user identity.UserID) (on identity.Resource, found bool, err error) {
	f := s.c.Access.Facts()
	parent, name, inProject := strings.Cut(asked, "/")
	switch {
	case asked == "installation":
		return identity.Installation(), true, nil
	case asked == "self":
		return identity.Own(user), true, nil
	case strings.Contains(asked, "://"):
		url, err := project.CanonicalRepository(asked)
		if err != nil {
			return on, false, problem.Wrap(err, problem.Invalid, "%s.", sentence(err.Error()))
		}
		if p, repository, ok := f.Projects.ForRepository(url); ok {
			return repository.Resource(p.ID), true, nil
		}
		return identity.Resource{Kind: identity.KindRepo, Name: url}, false, nil
	case strings.HasPrefix(asked, "w-"):
		id, err := identity.ParseWorkspaceID(asked)
		if err != nil {
			return on, false, problem.Wrap(err, problem.Invalid, "%s is not a workspace's ID.", strconv.QuoteToASCII(asked))
		}
		row, ok := s.c.Workspaces.Get(id)
		if !ok {
			return identity.Resource{Kind: identity.KindWorkspace, Name: asked}, false, nil
		}
		return workspaceResource(row), true, nil
	}
	p, ok := f.Projects.ByName(parent)
	switch {
	case !inProject && ok:
		return projectResource(p), true, nil
	case !inProject:
		return identity.Resource{Kind: identity.KindProject, Name: asked}, false, nil
	}
	kind := identity.KindRepo
	switch {
	case strings.HasPrefix(string(action), "app:"):
		kind = identity.KindApp
	case strings.HasPrefix(string(action), "registry:"):
		kind = identity.KindRegistry
	case strings.HasPrefix(string(action), "egress:"):
		kind = identity.KindEgress
	case strings.HasPrefix(string(action), "token:"):
		kind = identity.KindAudience
	}
	if ok {
		on, found = named(p, name, kind)
	}
	if !found {
		on = identity.Resource{Kind: kind, Name: asked}
	}
	return on, found, nil
}

// named finds an app, an audience or a repository of a project by its short name.
func named(p project.Project, name string, kind identity.ResourceKind) (identity.Resource, bool) {
	switch kind {
	case identity.KindRegistry:
		for _, r := range p.Registries {
			if r.Name == name {
				return r.Resource(p.ID), true
			}
		}
		return identity.Resource{}, false
	case identity.KindEgress:
		host, port, ok := project.SplitEgress(name)
		return project.EgressResource(host, port, p.ID), ok
	}
	if kind == identity.KindAudience {
		for _, a := range p.Audiences {
			if a.Name == name {
				return a.Resource(p.ID), true
			}
		}
		return identity.Resource{}, false
	}
	if kind == identity.KindApp {
		for _, app := range p.Apps {
			if app.Name == name {
				return app.Resource(p.ID), true
			}
		}
		return identity.Resource{}, false
	}
	for _, repository := range p.Repositories {
		if path.Base(repository.URL) == name {
			return repository.Resource(p.ID), true
		}
	}
	return identity.Resource{}, false
}
