package project

import (
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// template says what projects hold that are made of groups. Repositories and resources are written for each project by
// its name, so that no name of a group ever becomes part of an address.
type template struct {
	workspace Template
	secrets   []source.Value // where it says that secret variables are given
	projects  map[string]draft
	at        map[string]marks
	names     map[string]source.Value
}

func newTemplate() template {
	return template{workspace: Template{Timeout: DefaultTimeout}, projects: map[string]draft{}, at: map[string]marks{}, names: map[string]source.Value{}}
}

// templateFile reads the file that a FromGroups names.
func (p *parser) templateFile(name, text string) {
	r := &source.Reader{File: name}
	defer func() { p.findings = append(p.findings, r.Findings...) }()
	m, ok := r.Document(text)
	if !ok {
		return
	}
	const perProject = "belong to one project: write them under `projects` and the project's name"
	m.Keys([]string{"workspace", "projects"}, map[string]string{
		"repositories": perProject, "resources": perProject, "roles": "are not written here: the groups give them",
	})
	if e, ok := m.Find("workspace"); ok {
		readTemplate(e.Value, &p.template.workspace)
		p.template.secrets = secretVariables(e.Value, p.template.workspace)
	}
	e, ok := m.Find("projects")
	if !ok {
		return
	}
	of, ok := e.Value.Mapping()
	if !ok {
		return
	}
	for _, one := range of.Entries {
		if !projectName().MatchString(one.Key) {
			one.At.Report("%q cannot be a project's name; use lower-case letters, digits and dashes, at most 63", one.Key)
			continue
		}
		held, ok := one.Value.Mapping()
		if !ok {
			continue
		}
		held.Keys([]string{"repositories", "resources", "agents", "workspace", "sign_in_age"}, map[string]string{"roles": "is not written here: the groups give them"})
		d := draft{Project: Project{Name: one.Key, File: name, Workspace: p.template.workspace}}
		var at marks
		readHeld(held, &d, &at)
		p.template.projects[one.Key], p.template.at[one.Key], p.template.names[one.Key] = d, at, one.At
	}
}

// readHeld reads what a project holds.
func readHeld(m source.Mapping, d *draft, at *marks) {
	if e, ok := m.Find("repositories"); ok {
		list, _ := e.Value.List()
		for _, v := range list {
			if marked(v) {
				continue
			}
			if repo, place, ok := readRepository(v); ok {
				d.Repositories, at.repositories = append(d.Repositories, repo), append(at.repositories, place)
			}
		}
	}
	if e, ok := m.Find("resources"); ok {
		list, _ := e.Value.List()
		for _, v := range list {
			if marked(v) {
				continue
			}
			if isRegistry(v) {
				if r, place, ok := readRegistry(v); ok {
					d.Registries, at.registries = append(d.Registries, r), append(at.registries, place)
				}
				continue
			}
			if isAudience(v) {
				if a, place, ok := readAudience(v); ok {
					d.Audiences, at.audiences = append(d.Audiences, a), append(at.audiences, place)
				}
				continue
			}
			if app, place, ok := readResource(v); ok {
				d.Apps, at.apps = append(d.Apps, app), append(at.apps, place)
			}
		}
	}
	if e, ok := m.Find("agents"); ok {
		d.Agents = readAgents(e.Value)
	}
	if e, ok := m.Find("workspace"); ok {
		readTemplate(e.Value, &d.Workspace)
		at.secrets = secretVariables(e.Value, d.Workspace)
	}
	if e, ok := m.Find("sign_in_age"); ok {
		d.SignInAge = readSignInAge(e.Value)
	}
}

// minSignInAge leaves people time to do something between two sign-ins.
const minSignInAge = 5 * time.Minute

func readSignInAge(v source.Value) time.Duration {
	age, ok := v.Duration()
	if ok && age < minSignInAge {
		v.Report("people would do nothing but sign in: a sign-in may be %s old at least", minSignInAge)
	}
	return age
}

// marked refuses an address that a group's name would become part of.
func marked(v source.Value) bool {
	if !v.IsMapping() {
		return false // said where it is read
	}
	m, _ := v.Mapping()
	e, ok := m.Find("url")
	if !ok || !e.Value.IsText() {
		return false
	}
	s, _ := e.Value.Text()
	if !strings.Contains(s, projectMark) && !strings.Contains(s, roleMark) {
		return false
	}
	e.Value.Report("an address is written in full: who names a group must not choose where Lanyard connects to")
	return true
}
