package server

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// preview reads projects and policies as the loader would put them in force now, without doing so; nil stands for those
// of the revision in force.
func (c *configuration) preview(ctx context.Context, projects, policies map[string]string) (*project.Set, *policy.Set, error) {
	r, names, pins, _, err := c.s.store.LoadProjects(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("load projects and policies: %w", err)
	}
	made, err := c.s.store.LoadGroupProjects(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("load projects and policies: %w", err)
	}
	from := c.s.options.FromGroups
	if projects != nil {
		if held, ok := r.Projects[project.TemplateKey]; ok { // what projects made of groups hold stays as it is
			projects = maps.Clone(projects)
			projects[project.TemplateKey] = held
		}
		r.Projects = projects
	}
	if policies != nil {
		r.Policies = policies
	}
	tenant := c.s.options.Tenant.ID
	result, err := project.Parse(project.Input{
		Revision: r, Names: names, Pins: pins, Tenant: tenant, Groups: groups{c.s.engine.Facts().Directory}, Global: c.s.options.Global, FromGroups: from, GroupProjects: made,
		Pinning: true, // as it would be once stored
	})
	set, policyErr := project.ParsePolicies(tenant, r)
	var all source.Findings
	for _, err := range []error{err, policyErr} {
		found, ok := errors.AsType[source.Findings](err)
		if err != nil && !ok {
			return nil, nil, err
		}
		all = append(all, found...)
	}
	return result.Set, set, all.Err()
}
