package project

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// FromGroups makes projects of the names of security groups that are assigned to Lanyard's enterprise application.
type FromGroups struct {
	Pattern Pattern
	At      source.Located // where the pattern is written
	// Template is the file that says what such projects hold; empty: nothing but their roles. Among a revision's files its
	// text stands under TemplateKey, since each replica may have it in another place.
	Template string
	Keep     time.Duration // how long the workspaces of a closed project are kept
}

// TemplateKey names the template's text among a revision's project files. It is no file's name.
const TemplateKey = "from_groups"

// Pattern is a group's name with {project} and {role} in it.
type Pattern struct {
	before, between, after string
	roleFirst              bool
}

const projectMark, roleMark = "{project}", "{role}"

// ParsePattern reads a pattern such as ws-{project}-{role}.
func ParsePattern(s string) (p Pattern, err error) {
	if strings.Count(s, projectMark) != 1 || strings.Count(s, roleMark) != 1 {
		return p, fmt.Errorf("a pattern has %s and %s once each, as in ws-%s-%s", projectMark, roleMark, projectMark, roleMark)
	}
	first, second := projectMark, roleMark
	if p.roleFirst = strings.Index(s, roleMark) < strings.Index(s, projectMark); p.roleFirst {
		first, second = second, first
	}
	rest := ""
	p.before, rest, _ = strings.Cut(s, first)
	p.between, p.after, _ = strings.Cut(rest, second)
	literal := p.before + p.between + p.after
	switch {
	case p.between == "":
		return p, fmt.Errorf("write something between %s and %s, such as a dash, so that it is clear where one ends", first, second)
	case strings.ContainsAny(literal, "{}"):
		return p, fmt.Errorf("a pattern knows %s and %s, and no other braces", projectMark, roleMark)
	case len(s) > 200 || strings.TrimSpace(s) != s || strings.ContainsFunc(literal, func(r rune) bool { return !unicode.IsPrint(r) }):
		return p, fmt.Errorf("no group can have such a name")
	}
	return p, nil
}

// String is the pattern as it is written.
func (p Pattern) String() string {
	if p.roleFirst {
		return p.before + roleMark + p.between + projectMark + p.after
	}
	return p.before + projectMark + p.between + roleMark + p.after
}

// read takes a group's name apart. fits says that the name is made after the pattern; then wrong is empty, or says why it
// names no project and role all the same.
func (p Pattern) read(name string) (project string, role Role, fits bool, wrong string) {
	rest, ok := strings.CutPrefix(name, p.before)
	if !ok {
		return "", "", false, ""
	}
	if rest, ok = strings.CutSuffix(rest, p.after); !ok || !strings.Contains(rest, p.between) {
		return "", "", false, ""
	}
	for _, role := range policy.ProjectRoles() {
		project, ok := strings.CutSuffix(rest, p.between+string(role))
		if p.roleFirst {
			project, ok = strings.CutPrefix(rest, string(role)+p.between)
		}
		switch {
		case !ok:
		case !projectName().MatchString(project):
			return "", "", true, fmt.Sprintf("%q cannot be a project's name; use lower-case letters, digits and dashes, at most 63", project)
		default:
			return project, role, true, ""
		}
	}
	word := rest[strings.LastIndex(rest, p.between)+len(p.between):]
	if p.roleFirst {
		word, _, _ = strings.Cut(rest, p.between)
	}
	return "", "", true, fmt.Sprintf("%q is no role; the roles are viewer, developer and maintainer", word)
}

// claims are the groups that claim a role of a project by their names, by project and role, in the order of their IDs.
type claims struct {
	of       map[string]map[Role][]Group
	findings source.Findings
}

// claimed bounds what is said of names that mean nothing: a tenant may hold thousands.
const claimed = 100

// claims reads the names of all assigned groups.
func (f *FromGroups) claims(assigned iter.Seq[Group]) claims {
	c := claims{of: map[string]map[Role][]Group{}}
	more := 0
	void := func(g Group, why string) {
		if len(c.findings) >= claimed {
			more++
			return
		}
		c.findings = append(c.findings, f.At.Finding("the group %q (%s) makes no project: %s", g.Name, g.ID, why))
	}
	var all []Group
	for g := range assigned {
		if _, _, fits, _ := f.Pattern.read(g.Name); fits {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b Group) int { return strings.Compare(a.ID.Object, b.ID.Object) })
	for _, g := range all {
		project, role, _, wrong := f.Pattern.read(g.Name)
		switch {
		case wrong != "":
			void(g, wrong)
		case !g.Security:
			void(g, "it is not a security group; others can be made by their members")
		default:
			if c.of[project] == nil {
				c.of[project] = map[Role][]Group{}
			}
			c.of[project][role] = append(c.of[project][role], g)
		}
	}
	if more > 0 {
		c.findings = append(c.findings, f.At.Finding("and %d more groups make no project", more))
	}
	return c
}

// one is the group that alone claims a role of a project.
func (c claims) one(project string, role Role) (Group, bool) {
	all := c.of[project][role]
	if len(all) != 1 {
		return Group{}, false
	}
	return all[0], true
}

// listed names groups by their object IDs.
func listed(groups []Group) string {
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.ID.Object
	}
	return strings.Join(ids, ", ")
}

// GroupProject is a project that was made of groups, as it is stored: its groups are pinned by their object IDs.
type GroupProject struct {
	ID     identity.ProjectID
	Name   string
	Groups map[Role]identity.GroupID
	Closed time.Time // zero while it is open
	Why    string    // it was closed
}
