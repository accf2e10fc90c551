package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// warmOrders are the workspaces that projects want made ahead.
func (s *Server) warmOrders() (all []workspace.WarmOrder) {
	for _, p := range s.engine.Facts().Projects.All() {
		if p.Closed != "" {
			continue // nobody could take one
		}
		for _, w := range p.Workspace.Warm {
			o := workspace.WarmOrder{Project: p.ID, Name: p.Name, Class: w.Class, Image: w.Image, Count: w.Count}
			class, err := s.class(workspace.Workspace{Project: p.ID, Details: workspace.Details{Class: w.Class}})
			if err == nil { // else making one says what is wrong
				o.Class = class.Name
			}
			made := p.Workspace
			made.Warm = nil // another count leaves those that are there
			mark, err := json.Marshal([]any{p.Name, p.File, made, class})
			if err != nil {
				s.log.Error("a project's workspaces cannot be named", "project", p.Name, "error", err)
				continue
			}
			o.Mark = string(mark)
			same := func(x workspace.WarmOrder) bool {
				return x.Project == o.Project && x.Class == o.Class && x.Image == o.Image
			}
			if i := slices.IndexFunc(all, same); i >= 0 { // an entry without a class, and one of the default class
				all[i].Count += o.Count
				continue
			}
			all = append(all, o)
		}
	}
	return all
}

// prepareWarm makes ready what workspaces of a project run whose repositories say nothing, or name that image: of nobody, by
// the server's own credentials, and without a repository, a person's name, a variable or a Setup.
func (s *Server) prepareWarm(ctx context.Context, o workspace.WarmOrder) (workspace.Spec, error) {
	x := &preparing{
		Server: s, row: workspace.Workspace{Project: o.Project, Details: workspace.Details{Class: o.Class}}, say: func(workspace.Phase, string) {},
		who: identity.Principal{Kind: identity.Service, Service: identity.WarmService(o.Name), Project: o.Project},
	}
	x.said.Plan.Image.Ref = o.Image
	if err := x.image(ctx); err != nil {
		return workspace.Spec{}, err
	}
	plan, err := x.said.Plan.On(x.ready.Metadata, devfile.About{Checkout: "/workspace/" + o.Name})
	if err != nil {
		return workspace.Spec{}, fmt.Errorf("read what the image says of itself: %w", err)
	}
	x.plan = plan
	return workspace.Spec{
		Image: x.ready.Image, User: x.user(), Volumes: x.volumes(), Env: x.ready.Env, Labels: map[string]string{"project": cmp.Or(o.Name, string(o.Project))},
	}, nil
}
