package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Input is what a Set is made of.
type Input struct {
	Revision Revision
	Names    []Name            // the names that have an ID already
	Pins     []Pin             // the group names that were resolved before
	Tenant   identity.TenantID // whose groups the files mean
	Groups   Groups            // nil where there is no directory, as in a check of the files alone
	Global   map[Role][]source.Located
	// FromGroups, when set, makes projects of groups, and GroupProjects are those that were made before.
	FromGroups    *FromGroups
	GroupProjects []GroupProject
	// Pinning lets names of groups be resolved for the first time. Only who stores Result.Pins sets it; for others
	// such a name is void until its pin is stored.
	Pinning bool
}

// Result is a Set, and what must be stored with its revision so that the next reading means the same.
type Result struct {
	Set   *Set
	Names []Name // new ones
	Pins  []Pin  // new ones
}

// Parse reads the project files of a revision. The error is a source.Findings with all that is wrong in all files.
// A role whose group cannot be found is no error: it is void, see Set.Findings.
func Parse(in Input) (Result, error) {
	p := parser{names: map[string]identity.ProjectID{}, template: newTemplate()}
	for _, n := range in.Names {
		p.names[n.Name] = n.ID
	}
	for _, file := range slices.Sorted(maps.Keys(in.Revision.Projects)) {
		if file == TemplateKey {
			if in.FromGroups != nil { // a replica that makes no projects of groups has no use for it
				p.templateFile(in.FromGroups.Template, in.Revision.Projects[file])
			}
			continue
		}
		p.file(file, in.Revision.Projects[file])
	}
	set := &Set{from: in.FromGroups, hasFile: map[string]bool{}, template: p.template, revision: in.Revision, tenant: in.Tenant, pins: map[string]identity.GroupID{}, global: map[Role][]binding{}}
	for _, pin := range in.Pins {
		set.pins[pin.Name] = pin.Group
	}
	for _, role := range slices.Sorted(maps.Keys(in.Global)) {
		for _, l := range in.Global[role] {
			b, wrong := parseBinding(l)
			if wrong != "" {
				p.findings = append(p.findings, l.Finding("%s", wrong))
				continue
			}
			set.global[role] = append(set.global[role], b)
		}
	}
	p.index(set)
	if len(p.findings) > 0 {
		p.findings.Sort()
		return Result{}, p.findings
	}
	set.assemble(slices.Clone(in.GroupProjects))
	pins := set.bind(in.Groups, in.Pinning)
	return Result{Set: set, Names: p.newNames, Pins: pins}, nil
}

// CheckGroup says what is wrong with a group as a configuration names it, or nothing.
func CheckGroup(l source.Located) string {
	_, wrong := parseBinding(l)
	return wrong
}

type parser struct {
	names    map[string]identity.ProjectID
	newNames []Name
	findings source.Findings
	drafts   []draft
	at       []marks
	template template
}

// marks are the places of what must be unique in the installation.
type marks struct {
	name                                      source.Value
	repositories, apps, audiences, registries []source.Value
	secrets                                   []source.Value // where secret variables are given
}

var projectName = shape(`^[a-z0-9-]{1,63}$`)

func (p *parser) file(name, text string) {
	r := &source.Reader{File: name}
	defer func() { p.findings = append(p.findings, r.Findings...) }()
	m, ok := r.Document(text)
	if !ok {
		return
	}
	m.Keys([]string{"project", "roles", "repositories", "resources", "agents", "workspace", "sign_in_age"}, nil)
	d := draft{Project: Project{File: name, Workspace: Template{Timeout: DefaultTimeout}}, roles: map[Role][]binding{}}
	var at marks
	if e, ok := m.Need("project"); ok {
		at.name = e.Value
		if s, ok := e.Value.Text(); ok && !projectName().MatchString(s) {
			e.Value.Report("%q cannot be a project's name; use lower-case letters, digits and dashes, at most 63", s)
		} else if ok {
			d.Name = s
		}
	}
	if e, ok := m.Find("roles"); ok {
		readRoles(e.Value, d.roles)
	}
	readHeld(m, &d, &at)
	if d.Name != "" {
		p.drafts, p.at = append(p.drafts, d), append(p.at, at)
	}
}

func readRoles(v source.Value, into map[Role][]binding) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	var known []string
	for _, role := range policy.ProjectRoles() {
		known = append(known, string(role))
	}
	m.Keys(known, nil)
	for _, e := range m.Entries {
		if !slices.Contains(known, e.Key) {
			continue
		}
		list, _ := e.Value.List()
		for _, one := range list {
			l, ok := one.Located()
			if !ok {
				continue
			}
			b, wrong := parseBinding(l)
			if wrong != "" {
				one.Report("%s", wrong)
				continue
			}
			into[Role(e.Key)] = append(into[Role(e.Key)], b)
		}
	}
}

// index gives the projects their IDs and finds what stands twice.
func (p *parser) index(s *Set) {
	order := make([]int, len(p.drafts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(p.drafts[a].Name, p.drafts[b].Name) })
	first := map[string]Finding{} // where each unique thing stands
	twice := func(key, what string, at source.Value) bool {
		here := at.Finding("")
		before, seen := first[key]
		if seen {
			here.Message = fmt.Sprintf("%s is already at %s:%d", what, before.File, before.Line)
			p.findings = append(p.findings, here)
			return true
		}
		first[key] = here
		return false
	}
	for _, i := range order {
		d, at := p.drafts[i], p.at[i]
		if twice("project "+d.Name, "project "+d.Name, at.name) {
			continue
		}
		id, known := p.names[d.Name]
		if !known {
			id = identity.NewProjectID()
			p.newNames = append(p.newNames, Name{Name: d.Name, ID: id})
		}
		d.ID = id
		s.files, s.hasFile[d.Name] = append(s.files, d), true
		p.holds(s, d, at, twice)
	}
	for _, name := range slices.Sorted(maps.Keys(p.template.projects)) {
		if s.hasFile[name] {
			p.findings = append(p.findings, p.template.names[name].Finding("the project %s has a file; write there what it holds", name))
			continue
		}
		p.holds(s, p.template.projects[name], p.template.at[name], twice)
	}
	for _, v := range p.template.secrets {
		s.longLived = append(s.longLived, secretFinding(v, "projects that are made of groups"))
	}
	p.apart()
	p.federated()
}

// apart keeps audiences from having the value of an app's assertions: what one is told by Lanyard alone, nobody asks for.
func (p *parser) apart() {
	asserted := map[string]string{}
	note := func(d draft) {
		for _, a := range d.Apps {
			if a.Audience != "" {
				asserted[a.Audience] = a.Name
			}
		}
	}
	look := func(d draft, at marks) {
		for j, a := range d.Audiences {
			if app, clash := asserted[a.Value]; clash {
				p.findings = append(p.findings, at.audiences[j].Finding(
					"the audience %s is that of the assertions which the app %s gets; write another as `aud`", a.Value, app))
			}
		}
	}
	for _, d := range p.drafts {
		note(d)
	}
	for _, d := range p.template.projects {
		note(d)
	}
	for i, d := range p.drafts {
		look(d, p.at[i])
	}
	for _, name := range slices.Sorted(maps.Keys(p.template.projects)) {
		look(p.template.projects[name], p.template.at[name])
	}
}

// holds looks at what a project holds: what must be unique, and the credentials that outlive a session.
func (p *parser) holds(s *Set, d draft, at marks, twice func(key, what string, at source.Value) bool) {
	for j, r := range d.Repositories {
		if key, file := r.Credential.LongLived(); key != "" {
			s.longLived = append(s.longLived, at.repositories[j].Finding(
				"%s %s for %s: works for whoever holds it, and names nobody; if that server takes Entra tokens, write credential: {entra: SCOPE}, so that each person goes as themselves", key, file, r.URL))
		}
		twice("repository "+r.URL, "repository "+r.URL+" belongs to one project only and", at.repositories[j])
	}
	for _, v := range at.secrets {
		s.longLived = append(s.longLived, secretFinding(v, "the project "+d.Name))
	}
	for j, a := range d.Apps {
		twice("resource "+a.Name, "the name "+a.Name+" is unique in the installation and", at.apps[j])
	}
	for j, r := range d.Registries {
		if key, file := r.Credential.LongLived(); key != "" {
			s.longLived = append(s.longLived, at.registries[j].Finding(
				"%s %s for the registry %s: works for whoever holds it, and names nobody; if that registry takes Entra tokens, write credential: {entra: SCOPE}, so that each person goes as themselves", key, file, r.Name))
		}
		twice("resource "+r.Name, "the name "+r.Name+" is unique in the installation and", at.registries[j])
	}
	for j, a := range d.Audiences {
		twice("resource "+a.Name, "the name "+a.Name+" is unique in the installation and", at.audiences[j])
		twice("audience "+d.Name+" "+a.Value, "the audience "+a.Value+" of the project", at.audiences[j])
		if f := a.File; f != nil && f.For != ForPrograms && f.For != ForKubernetes { // their programs look in one place only
			twice("file "+d.Name+" "+f.For, "a file for "+f.For+" of the project", at.audiences[j])
		}
		if a.File.Holds() {
			s.tokenFiles = append(s.tokenFiles, at.audiences[j].Finding(
				"a token for %s is in a file of every workspace of %s, in memory, and good for at most %s: what reads it can use it elsewhere until then", a.Value, d.Name, a.Lifetime))
		}
	}
}
