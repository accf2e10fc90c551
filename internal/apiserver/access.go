package apiserver

import (
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// asked are the actions that the list of what somebody may do answers, by the kind of resource.
func asked(kind identity.ResourceKind) []identity.Action {
	switch kind {
	case identity.KindProject:
		return []identity.Action{identity.WorkspaceCreate, identity.ProjectView}
	case identity.KindRepo:
		return []identity.Action{identity.RepoRead, identity.RepoWrite, identity.RepoTag, identity.RepoForce, identity.RepoDelete, identity.RepoMaintain}
	case identity.KindApp:
		return []identity.Action{identity.AppCall, identity.AppView}
	case identity.KindRegistry:
		return []identity.Action{identity.RegistryRead, identity.RegistryPublish}
	case identity.KindEgress:
		return []identity.Action{identity.EgressConnect}
	case identity.KindAudience:
		return []identity.Action{identity.TokenMint}
	}
	return nil
}

// accessList lists what somebody may do in the projects that they may see. Nothing is opened.
func (s *server) accessList(w http.ResponseWriter, r *http.Request) error {
	user, err := s.subject(r, s.about)
	if err != nil {
		return err
	}
	decide := s.c.Access.Standing
	who := identity.Principal{Kind: identity.Person, User: user}
	if me := web.PrincipalFrom(r.Context()); me.User == user {
		who = me
		decide = func(q access.Request) access.Explanation { return s.c.Access.Explain(r.Context(), q) }
	}
	list := []api.Access{}
	add := func(p project.Project, on identity.Resource, named string) (any bool) {
		x := api.Access{Project: p.Name, Kind: string(on.Kind), Resource: named, Actions: []api.Allowed{}}
		for _, action := range asked(on.Kind) {
			q := s.request(r, action, on)
			q.Principal, q.Detail = who, nil
			d := decide(q)
			if d.Effect == access.Deny {
				continue
			}
			x.Role, x.Via = string(d.Role), d.Via
			x.Actions = append(x.Actions, api.Allowed{Action: string(action), Decision: d.Effect.String(), Until: d.Ends})
		}
		if len(x.Actions) > 0 {
			list = append(list, x)
		}
		return len(x.Actions) > 0
	}
	for _, p := range s.c.Access.Facts().Projects.All() {
		if !add(p, projectResource(p), p.Name) {
			continue
		}
		for _, repository := range p.Repositories {
			add(p, repository.Resource(p.ID), repository.URL)
		}
		for _, app := range p.Apps {
			add(p, app.Resource(p.ID), p.Name+"/"+app.Name)
		}
		for _, registry := range p.Registries {
			add(p, registry.Resource(p.ID), p.Name+"/"+registry.Name)
		}
		for _, rule := range p.Workspace.Egress {
			add(p, rule.Resource(p.ID), p.Name+"/"+rule.Text)
		}
		for _, audience := range p.Audiences {
			add(p, audience.Resource(p.ID), p.Name+"/"+audience.Name)
		}
	}
	page, err := pageOf(r, list, func(x api.Access) string { return x.Project + "\x00" + x.Kind + "\x00" + x.Resource })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}
