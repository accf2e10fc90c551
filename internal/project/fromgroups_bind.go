package project

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// assemble makes the set's projects of those that have files and of rows.
func (s *Set) assemble(rows []GroupProject) {
	s.groupProjects = rows
	s.drafts = slices.Clone(s.files)
	for i := range rows {
		if s.from == nil || s.hasFile[rows[i].Name] {
			continue
		}
		d := draft{Project: Project{Workspace: s.template.workspace}, made: &rows[i]}
		if held, ok := s.template.projects[rows[i].Name]; ok {
			d.Project = held.Project
		}
		d.ID, d.Name, d.File = rows[i].ID, rows[i].Name, s.from.At.File
		s.drafts = append(s.drafts, d)
	}
	slices.SortStableFunc(s.drafts, func(a, b draft) int { return strings.Compare(a.Name, b.Name) })
	s.byID, s.byName = map[identity.ProjectID]int{}, map[string]int{}
	s.repositories, s.apps, s.audiences, s.registries = map[string]place{}, map[string]place{}, map[string]place{}, map[string]place{}
	s.byValue, s.asserted = map[string][]place{}, map[string]bool{}
	for n, d := range s.drafts {
		s.byID[d.ID], s.byName[d.Name] = n, n
		for i, r := range d.Repositories {
			s.repositories[r.URL] = place{n, i}
		}
		for i, a := range d.Audiences {
			s.audiences[a.Name] = place{n, i}
			s.byValue[a.Value] = append(s.byValue[a.Value], place{n, i})
		}
		for i, r := range d.Registries {
			s.registries[r.Name] = place{n, i}
		}
		for i, a := range d.Apps {
			s.apps[a.Name] = place{n, i}
			if a.Audience != "" {
				s.asserted[a.Audience] = true
			}
		}
	}
}

// bindGroups gives a project made of groups the roles of those that still stand, and reports the others. A project that
// is stored as closed gives none before its reopening is stored.
func (s *Set) bindGroups(p *Project, row *GroupProject, c claims, groups Groups) (findings source.Findings) {
	p.FromGroups, p.Roles, p.ClosedAt, p.Closed = true, map[Role][]identity.GroupID{}, row.Closed, row.Why
	stands, why := s.stands(*row, c, groups)
	if !row.Closed.IsZero() || !stands {
		if row.Closed.IsZero() {
			p.Closed = why
		}
		for _, role := range policy.ProjectRoles() {
			for _, g := range c.of[row.Name][role] {
				if g.ID != row.Groups[role] {
					findings = append(findings, s.from.At.Finding("the group %q (%s) gives nobody a role: the project %s of other groups is closed and kept for %s (%s)", g.Name, g.ID, row.Name, s.from.Keep, p.Closed))
				}
			}
		}
		return findings
	}
	for _, role := range policy.ProjectRoles() {
		pinned, ok := row.Groups[role]
		if !ok {
			if all := c.of[row.Name][role]; len(all) > 1 {
				findings = append(findings, s.from.At.Finding("nobody is %s of the project %s: several assigned groups bear that name: %s", role, row.Name, listed(all)))
			}
			continue
		}
		if gone := s.goneFrom(row.Name, role, pinned, c, groups); gone != "" {
			finding := s.from.At.Finding("nobody is %s of the project %s: %s", role, row.Name, gone)
			if g, ok := c.one(row.Name, role); ok {
				finding.Message += "; the group " + g.ID.Object + " bears its name and does not take its place, write a file for the project to give it the role"
			}
			findings = append(findings, finding)
			continue
		}
		p.Roles[role] = []identity.GroupID{pinned}
	}
	return findings
}

// claims are those of now, with what is to be said of names that make no project; nothing before the directory was read.
func (s *Set) claims(groups Groups) (c claims, findings source.Findings) {
	if s.from == nil || groups == nil || !groups.Ready() {
		return c, nil
	}
	c = s.from.claims(groups.Assigned())
	findings = c.findings
	known := map[string]bool{}
	for _, row := range s.groupProjects {
		known[row.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.of)) {
		for _, role := range policy.ProjectRoles() {
			all := c.of[name][role]
			switch {
			case len(all) == 0:
			case s.hasFile[name]:
				findings = append(findings, s.from.At.Finding("the group %q (%s) gives nobody a role: the project %s has a file, and that says who has", all[0].Name, listed(all), name))
			case len(all) > 1 && !known[name]:
				findings = append(findings, s.from.At.Finding("%q is the name of several assigned groups, so nobody is %s of the project %s: %s", all[0].Name, role, name, listed(all)))
			}
		}
	}
	return c, findings
}
