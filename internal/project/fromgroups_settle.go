package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// What becomes of a project that is made of groups.
const (
	Made      = "made"
	Widened   = "widened" // a group for another role appeared
	Closed    = "closed"
	Reopened  = "reopened"
	Forgotten = "forgotten" // its time was up and nothing of it is left
)

// GroupChange is what becomes of one project that is made of groups; it must be stored before it counts, except that
// what is closed is closed at once.
type GroupChange struct {
	Project GroupProject // as it is then
	What    string
	Why     string
}

// settle compares the stored projects with what the groups of now say. kept says whether workspaces of a project are
// left.
func (s *Set) settle(groups Groups, now time.Time, kept func(identity.ProjectID) bool) []GroupChange {
	if s.from == nil || groups == nil || !groups.Ready() {
		return nil
	}
	c := s.from.claims(groups.Assigned())
	var changes []GroupChange
	known := map[string]bool{}
	for _, row := range s.groupProjects {
		known[row.Name] = true
		if change, ok := s.settleOne(row, c, groups, now, kept); ok {
			changes = append(changes, change)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.of)) {
		if known[name] || s.hasFile[name] {
			continue
		}
		row := GroupProject{ID: identity.NewProjectID(), Name: name, Groups: map[Role]identity.GroupID{}}
		if row.join(c); len(row.Groups) > 0 {
			changes = append(changes, GroupChange{row, Made, "groups that name it appeared: " + row.pins()})
		}
	}
	return changes
}

func (s *Set) settleOne(row GroupProject, c claims, groups Groups, now time.Time, kept func(identity.ProjectID) bool) (GroupChange, bool) {
	row.Groups = maps.Clone(row.Groups)
	stands, why := s.stands(row, c, groups)
	switch {
	case stands && !row.Closed.IsZero():
		row.Closed, row.Why = time.Time{}, ""
		row.join(c)
		return GroupChange{row, Reopened, "its groups are back: " + row.pins()}, true
	case stands:
		before := len(row.Groups)
		row.join(c)
		return GroupChange{row, Widened, "a group that names it appeared: " + row.pins()}, len(row.Groups) > before
	case row.Closed.IsZero():
		row.Closed, row.Why = now, why
		return GroupChange{row, Closed, why}, true
	case now.Sub(row.Closed) >= s.from.Keep && !kept(row.ID):
		return GroupChange{row, Forgotten, fmt.Sprintf("it was closed %s ago: %s", now.Sub(row.Closed).Round(time.Second), row.Why)}, true
	}
	return GroupChange{}, false
}

// join pins the groups of roles that have none yet.
func (p *GroupProject) join(c claims) {
	for _, role := range policy.ProjectRoles() {
		if _, pinned := p.Groups[role]; pinned {
			continue
		}
		if g, ok := c.one(p.Name, role); ok {
			p.Groups[role] = g.ID
		}
	}
}

// pins names the groups by role.
func (p *GroupProject) pins() string {
	var list []string
	for _, role := range policy.ProjectRoles() {
		if g, ok := p.Groups[role]; ok {
			list = append(list, fmt.Sprintf("%s %s", role, g.Object))
		}
	}
	return strings.Join(list, ", ")
}

// stands reports whether any of a project's groups still gives it a role; why says why none does.
func (s *Set) stands(row GroupProject, c claims, groups Groups) (stands bool, why string) {
	if s.hasFile[row.Name] {
		return false, "a project of this name has a file now"
	}
	for _, role := range policy.ProjectRoles() {
		pinned, ok := row.Groups[role]
		if !ok {
			continue
		}
		gone := s.goneFrom(row.Name, role, pinned, c, groups)
		if gone == "" {
			return true, ""
		}
		why = gone
	}
	return false, why
}

// goneFrom says why a pinned group gives its role no more; empty when it does.
func (s *Set) goneFrom(project string, role Role, pinned identity.GroupID, c claims, groups Groups) string {
	all := c.of[project][role]
	if len(all) == 1 && all[0].ID == pinned {
		return ""
	}
	g, ok := groups.Group(pinned)
	switch {
	case len(all) > 1 && slices.ContainsFunc(all, func(g Group) bool { return g.ID == pinned }):
		return fmt.Sprintf("the name of its group %s is now that of several assigned groups: %s", pinned, listed(all))
	case !ok:
		return fmt.Sprintf("its group %s is not in the directory any more", pinned)
	case !s.from.names(g.Name, project, role): // first: whatever else is said of it while the change is stored
		return fmt.Sprintf("its group %s is now called %q", pinned, g.Name)
	case !g.Assigned:
		return fmt.Sprintf("its group %s (%q) is no longer assigned to Lanyard's enterprise application", pinned, g.Name)
	}
	return fmt.Sprintf("its group %s (%q) is no security group any more", pinned, g.Name)
}

// names reports whether a group's name is that of a role of a project.
func (f *FromGroups) names(name, project string, role Role) bool {
	p, r, _, wrong := f.Pattern.read(name)
	return wrong == "" && p == project && r == role
}

// GroupProjects are the projects made of groups, as they are stored.
func (s *Set) GroupProjects() []GroupProject { return slices.Clone(s.groupProjects) }

// with is the set after changes that are stored.
func (s *Set) with(changes []GroupChange, groups Groups) *Set {
	rows := slices.Clone(s.groupProjects)
	for _, c := range changes {
		i := slices.IndexFunc(rows, func(r GroupProject) bool { return r.ID == c.Project.ID })
		switch {
		case c.What == Forgotten:
			rows = slices.Delete(rows, i, i+1)
		case i < 0:
			rows = append(rows, c.Project)
		default:
			rows[i] = c.Project
		}
	}
	next := *s
	next.assemble(rows)
	next.bind(groups, false)
	return &next
}
