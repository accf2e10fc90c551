package world

import (
	"fmt"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
)

// Rule is one of the 500 policies, as data. What a forbid meets is refused, whatever permits it.
type Rule struct {
	ID      string
	Forbid  bool
	Action  identity.Action
	Group   identity.GroupID   // only its members; zero: everybody
	Project identity.ProjectID // only what belongs to it
	Session string             // only sessions of this kind; empty: all
}

// Cedar is the rule as Lanyard reads it.
func (r Rule) Cedar() string {
	who := "principal"
	if !r.Group.IsZero() {
		who = fmt.Sprintf("principal in Group::%q", r.Group.Object)
	}
	effect, when := "permit", ""
	if r.Forbid {
		effect = "forbid"
	}
	if r.Session != "" {
		when = fmt.Sprintf(" when { context.session == %q }", r.Session)
	}
	return fmt.Sprintf("@id(%q) %s (%s, action == Action::%q, resource in Project::%q)%s;\n", r.ID, effect, who, r.Action, r.Project, when)
}

// projects gives each project four groups, of which one contains others.
func (w *World) projects(flat int) (*project.Set, error) {
	files := map[string]string{}
	var names []project.Name
	for i := range w.Size.Projects {
		group := func(n int) identity.GroupID { return Group(n % flat) }
		p := Project{
			ID: identity.ProjectID("p-" + label(i)), Name: fmt.Sprintf("p%d", i), App: fmt.Sprintf("app-%d", i), Viewer: group(i),
			Developers: [2]identity.GroupID{Group(flat + i%(w.Size.Groups-flat)), group(i + 200)}, Maintainer: group(i + 400),
		}
		w.Projects = append(w.Projects, p)
		names = append(names, project.Name{Name: p.Name, ID: p.ID})
		files[p.Name+".yaml"] = fmt.Sprintf(
			"project: %s\nroles:\n  viewer: [%q]\n  developer: [%q, %q]\n  maintainer: [%q]\nresources:\n  - app: %s\n    url: http://app.example.test\n",
			p.Name, p.Viewer.Object, p.Developers[0].Object, p.Developers[1].Object, p.Maintainer.Object, p.App)
	}
	parsed, err := project.Parse(project.Input{Tenant: Tenant, Names: names, Revision: project.Revision{Number: 1, Projects: files}})
	if err != nil {
		return nil, fmt.Errorf("read the sample's projects: %w", err)
	}
	return parsed.Set, nil
}

// label writes a number as 16 characters of the alphabet of IDs.
func label(n int) string {
	digits := strings.Map(func(r rune) rune { return 'a' + r - '0' }, fmt.Sprintf("%016d", n))
	return digits
}

// policies are of five kinds, a hundred each: half of them are about the app of a project, so that one in 500 or two
// concern a question, and nobody can tell which without looking.
func (w *World) policies() (*policy.Set, error) {
	var text strings.Builder
	for i := range 100 {
		p := func(n int) identity.ProjectID { return w.Projects[n%w.Size.Projects].ID }
		w.Rules = append(w.Rules,
			Rule{ID: fmt.Sprintf("support-%d", i), Action: identity.AppCall, Group: Group(i % w.Size.Groups), Project: p(2 * i)},
			Rule{ID: fmt.Sprintf("suspended-%d", i), Forbid: true, Action: identity.AppCall, Group: Group((i + 600) % w.Size.Groups), Project: p(2*i + 1)},
			Rule{ID: fmt.Sprintf("only-browsers-%d", i), Forbid: true, Action: identity.AppCall, Project: p(i), Session: "workspace"},
			Rule{ID: fmt.Sprintf("contributors-%d", i), Action: identity.RepoWrite, Group: Group((i + 100) % w.Size.Groups), Project: p(i)},
			Rule{ID: fmt.Sprintf("frozen-%d", i), Forbid: true, Action: identity.RepoWrite, Group: Group((i + 300) % w.Size.Groups), Project: p(i + 100)},
		)
	}
	for _, r := range w.Rules {
		text.WriteString(r.Cedar())
	}
	set, err := policy.Parse(policy.Source{Tenant: Tenant, Files: []policy.File{{Name: "sample.cedar", Text: text.String()}}})
	if err != nil {
		return nil, fmt.Errorf("read the sample's policies: %w", err)
	}
	return set, nil
}
