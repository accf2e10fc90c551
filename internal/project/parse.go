package project

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

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
	p := parser{names: map[string]identity.ProjectID{}}
	for _, n := range in.Names {
		p.names[n.Name] = n.ID
	}
	for _, file := range slices.Sorted(maps.Keys(in.Revision.Projects)) {
		p.file(file, in.Revision.Projects[file])
	}
	set := &Set{revision: in.Revision, tenant: in.Tenant, pins: map[string]identity.GroupID{}, global: map[Role][]binding{}}
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
}

// marks are the places of what must be unique in the installation.
type marks struct {
	name               source.Value
	repositories, apps []source.Value
}

var (
	projectName  = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	resourceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)
	scopeShape   = regexp.MustCompile(`^[\x21-\x7e]{1,512}$`)
	audience     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$`)
)

func (p *parser) file(name, text string) {
	r := &source.Reader{File: name}
	defer func() { p.findings = append(p.findings, r.Findings...) }()
	m, ok := r.Document(text)
	if !ok {
		return
	}
	m.Keys([]string{"project", "roles", "repositories", "resources", "workspace"}, nil)
	d := draft{Project: Project{File: name, Workspace: Template{Timeout: DefaultTimeout}}, roles: map[Role][]binding{}}
	var at marks
	if e, ok := m.Need("project"); ok {
		at.name = e.Value
		if s, ok := e.Value.Text(); ok && !projectName.MatchString(s) {
			e.Value.Report("%q cannot be a project's name; use lower-case letters, digits and dashes, at most 63", s)
		} else if ok {
			d.Name = s
		}
	}
	if e, ok := m.Find("roles"); ok {
		readRoles(e.Value, d.roles)
	}
	if e, ok := m.Find("repositories"); ok {
		list, _ := e.Value.List()
		for _, v := range list {
			if repo, place, ok := readRepository(v); ok {
				d.Repositories, at.repositories = append(d.Repositories, repo), append(at.repositories, place)
			}
		}
	}
	if e, ok := m.Find("resources"); ok {
		list, _ := e.Value.List()
		for _, v := range list {
			if app, place, ok := readResource(v); ok {
				d.Apps, at.apps = append(d.Apps, app), append(at.apps, place)
			}
		}
	}
	if e, ok := m.Find("workspace"); ok {
		readTemplate(e.Value, &d.Workspace)
	}
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

func readRepository(v source.Value) (repo Repository, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return repo, v, false
	}
	m.Keys([]string{"url", "credential"}, map[string]string{"sensitive": ""})
	if e, found := m.Find("credential"); found {
		repo.Credential = readCredential(e.Value)
	}
	e, ok := m.Need("url")
	if !ok {
		return repo, v, false
	}
	text, ok := e.Value.Text()
	if !ok {
		return repo, v, false
	}
	canonical, err := CanonicalRepository(text)
	if err != nil {
		e.Value.Report("%v", err)
		return repo, v, false
	}
	repo.URL = canonical
	return repo, e.Value, true
}

func readCredential(v source.Value) (c Credential) {
	if v.IsText() {
		if s, _ := v.Text(); s != "none" {
			v.Report("a credential is none, {entra: SCOPE}, {basic_file: PATH} or {bearer_file: PATH}; a secret is never written in place, put it into a file and name that")
		}
		return c
	}
	m, ok := v.Mapping()
	if !ok {
		return c
	}
	const inPlace = "would write a secret in place; put it into a file that only Lanyard may read, and name that with "
	m.Keys([]string{"entra", "basic_file", "bearer_file"}, map[string]string{
		"basic": inPlace + "basic_file", "password": inPlace + "basic_file",
		"bearer": inPlace + "bearer_file", "token": inPlace + "bearer_file",
	})
	if len(m.Entries) != 1 {
		m.Report("a credential has exactly one of entra, basic_file and bearer_file")
		return c
	}
	e := m.Entries[0]
	s, ok := "", false
	switch e.Key {
	case "entra", "basic_file", "bearer_file":
		s, ok = e.Value.Text()
	}
	if !ok {
		return c
	}
	switch {
	case e.Key == "entra" && !scopeShape.MatchString(s):
		e.Value.Report("a scope is one word, such as api://APP-ID/.default")
	case e.Key == "entra":
		c.EntraScope = s
	case !strings.HasPrefix(s, "/"):
		e.Value.Report("write the whole path of the file, beginning with /")
	case e.Key == "basic_file":
		c.BasicFile = s
	default:
		c.BearerFile = s
	}
	return c
}

func readResource(v source.Value) (app App, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return app, v, false
	}
	for _, kind := range []string{"registry", "database", "host", "tool", "mcp"} {
		if e, found := m.Find(kind); found {
			e.At.Report("`%s` is not supported yet; remove this resource", kind)
			return app, v, false
		}
	}
	m.Keys([]string{"app", "url", "assertion"}, map[string]string{"credential": "", "sensitive": "", "kind": ""})
	name, hasName := m.Need("app")
	address, hasURL := m.Need("url")
	if e, found := m.Find("assertion"); found {
		app.Audience = readAssertion(e.Value)
	}
	if !hasName || !hasURL {
		return app, v, false
	}
	if app.Name, ok = name.Value.Text(); ok && !resourceName.MatchString(app.Name) {
		name.Value.Report("%q cannot be an app's name; use a lower-case letter, then letters, digits and dashes, at most 41", app.Name)
		ok = false
	}
	text, isText := address.Value.Text()
	if !isText {
		return app, v, false
	}
	u, err := parseAppURL(text)
	if err != nil {
		address.Value.Report("%v", err)
		return app, v, false
	}
	app.URL = u
	return app, name.Value, ok
}

func readAssertion(v source.Value) string {
	m, ok := v.Mapping()
	if !ok {
		return ""
	}
	m.Keys([]string{"audience"}, nil)
	e, ok := m.Need("audience")
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	if ok && !audience.MatchString(s) {
		e.Value.Report("%q cannot be an audience; use letters, digits and ._:/- , at most 128", s)
		return ""
	}
	return s
}

// parseAppURL reads the address of an app: http or https, a host, perhaps a port and a base path.
func parseAppURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL", quote(s))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("an app's url begins with http:// or https://")
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-"):
		return nil, fmt.Errorf("the url names no host")
	case u.User != nil:
		return nil, fmt.Errorf("a secret is never written in place; leave user name and password out of the url")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, fmt.Errorf("an app's url has neither query nor fragment")
	case strings.Contains(s, "%") || strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return nil, fmt.Errorf("an app's base path is written plainly, without encodings, dots or empty segments")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func readTemplate(v source.Value, t *Template) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"timeout"}, map[string]string{"image": "", "class": "", "egress": ""})
	if e, ok := m.Find("timeout"); ok {
		if d, ok := e.Value.Duration(); ok && d < time.Minute {
			e.Value.Report("a workspace's timeout is at least 1m")
		} else if ok {
			t.Timeout = d
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
	s.byID, s.byName = map[identity.ProjectID]int{}, map[string]int{}
	s.repositories, s.apps = map[string]place{}, map[string]place{}
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
		n := len(s.drafts)
		s.drafts = append(s.drafts, d)
		s.byID[id], s.byName[d.Name] = n, n
		for j, r := range d.Repositories {
			if key, file := r.Credential.LongLived(); key != "" {
				s.longLived = append(s.longLived, at.repositories[j].Finding(
					"%s %s for %s: works for whoever holds it, and names nobody; if that server takes Entra tokens, write credential: {entra: SCOPE}, so that each person goes as themselves", key, file, r.URL))
			}
			if !twice("repository "+r.URL, "repository "+r.URL+" belongs to one project only and", at.repositories[j]) {
				s.repositories[r.URL] = place{n, j}
			}
		}
		for j, a := range d.Apps {
			if !twice("app "+a.Name, "app "+a.Name+" is unique in the installation and", at.apps[j]) {
				s.apps[a.Name] = place{n, j}
			}
		}
	}
}
