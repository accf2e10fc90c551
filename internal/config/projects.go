package config

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// defaultKeep is how long the workspaces of a project are kept that was made of groups and is closed.
const defaultKeep = 30 * 24 * time.Hour

// projects reads a folder, or how projects are made of groups beside it.
func (p *parser) projects(m source.Mapping) {
	c := p.config
	e, ok := m.Find("projects")
	if !ok || !e.Value.IsMapping() {
		c.Projects = p.path(m, "projects")
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"folder", "from_groups", "template", "keep"}, nil)
	c.Projects = p.path(inner, "folder")
	pattern, ok := inner.Find("from_groups")
	if !ok {
		for _, key := range []string{"template", "keep"} {
			if other, ok := inner.Find(key); ok {
				other.At.Report("`%s` is about projects made of groups; write from_groups beside it", key)
			}
		}
		if len(inner.Entries) == 0 {
			inner.Report("name a folder, from_groups or both")
		}
		return
	}
	at, ok := pattern.Value.Located()
	if !ok {
		return
	}
	parsed, err := project.ParsePattern(at.Text)
	if err != nil {
		pattern.Value.Report("%v", err)
		return
	}
	from := &project.FromGroups{Pattern: parsed, At: at, Template: p.path(inner, "template"), Keep: defaultKeep}
	durations(inner, map[string]*time.Duration{"keep": &from.Keep})
	c.FromGroups = from
	if c.Directory.Members == FromSignIn {
		pattern.Value.Report("memberships that come from sign-ins name no groups, so no project can be made of them; let directory.members be %s or %s", FromGraph, FromSCIM)
	}
}
