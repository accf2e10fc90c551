package project

import (
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Finding is one thing that is wrong with the configuration, and where.
type Finding = source.Finding

// Set is all projects of one revision, with the groups that their names stand for. It is immutable.
type Set struct {
	revision Revision
	tenant   identity.TenantID
	pins     map[string]identity.GroupID
	files    []draft // the projects that have a file, their bindings not yet resolved
	drafts   []draft // these and those made of groups, by name
	global   map[Role][]binding

	from          *FromGroups // nil: no project is made of groups
	template      template
	hasFile       map[string]bool // names of projects that have a file
	groupProjects []GroupProject  // as they are stored

	projects     []Project // by name
	byID         map[identity.ProjectID]int
	byName       map[string]int
	repositories map[string]place
	apps         map[string]place
	audiences    map[string]place
	registries   map[string]place
	byValue      map[string][]place // audiences by what stands in their tokens
	asserted     map[string]bool    // audiences of apps' assertions
	globalGroups map[Role][]identity.GroupID
	findings     []Finding
	longLived    []Finding
	tokenFiles   []Finding
	awaiting     bool // a name could be resolved for the first time, and whoever stores pins has not done so yet
}

// place is where in a Set something is.
type place struct{ project, index int }

// draft is a project whose groups are still as written.
type draft struct {
	Project
	roles map[Role][]binding
	made  *GroupProject // nil for one that has a file
}

// Empty is a Set without projects, roles or rights.
func Empty() *Set { return &Set{} }

// Revision is the number of the revision that the set was read from.
func (s *Set) Revision() int64 { return s.revision.Number }

// Project finds a project by its ID.
func (s *Set) Project(id identity.ProjectID) (Project, bool) {
	i, ok := s.byID[id]
	if !ok {
		return Project{}, false
	}
	return s.projects[i], true
}

// SignInAge is how old a sign-in may be for what belongs to a project; 0 where it demands nothing.
func (s *Set) SignInAge(id identity.ProjectID) time.Duration {
	if i, ok := s.byID[id]; ok {
		return s.projects[i].SignInAge
	}
	return 0
}

// ByName finds a project by its name.
func (s *Set) ByName(name string) (Project, bool) {
	i, ok := s.byName[name]
	if !ok {
		return Project{}, false
	}
	return s.projects[i], true
}

// ForRepository finds a repository by its canonical URL, and the one project that has it.
func (s *Set) ForRepository(canonical string) (Project, Repository, bool) {
	at, ok := s.repositories[canonical]
	if !ok {
		return Project{}, Repository{}, false
	}
	p := s.projects[at.project]
	return p, p.Repositories[at.index], true
}

// App finds an app by its name, which is unique in the installation, and its project.
func (s *Set) App(name string) (Project, App, bool) {
	at, ok := s.apps[name]
	if !ok {
		return Project{}, App{}, false
	}
	p := s.projects[at.project]
	return p, p.Apps[at.index], true
}

// Audience finds an audience by its name, which is unique in the installation, and its project.
func (s *Set) Audience(name string) (Project, Audience, bool) {
	at, ok := s.audiences[name]
	if !ok {
		return Project{}, Audience{}, false
	}
	p := s.projects[at.project]
	return p, p.Audiences[at.index], true
}

// Registry finds a package registry by its name, which is unique in the installation, and its project.
func (s *Set) Registry(name string) (Project, Registry, bool) {
	at, ok := s.registries[name]
	if !ok {
		return Project{}, Registry{}, false
	}
	p := s.projects[at.project]
	return p, p.Registries[at.index], true
}

// Declared is an audience with the project that declares it.
type Declared struct {
	Project  Project
	Audience Audience
}

// AudiencesFor are the audiences whose tokens say a value (`aud`): projects may share a receiver.
func (s *Set) AudiencesFor(value string) []Declared {
	var list []Declared
	for _, at := range s.byValue[value] {
		p := s.projects[at.project]
		list = append(list, Declared{p, p.Audiences[at.index]})
	}
	return list
}

// Asserted reports whether some app takes assertions for a value: no other token may say it.
func (s *Set) Asserted(value string) bool { return s.asserted[value] }

// All are the projects by name.
func (s *Set) All() []Project { return slices.Clone(s.projects) }

// Global reports whether somebody holds a role of the installation. holds says whether they are in a group.
func (s *Set) Global(role Role, holds func(identity.GroupID) bool) bool {
	return slices.ContainsFunc(s.globalGroups[role], holds)
}

// GlobalGroups are the groups that hold a role of the installation.
func (s *Set) GlobalGroups(role Role) []identity.GroupID { return slices.Clone(s.globalGroups[role]) }

// Findings are the bindings of roles that are void, and why. They do not keep the rest from working.
func (s *Set) Findings() []Finding { return slices.Clone(s.findings) }

// LongLived lists the upstream credentials that outlive a session, with how to be rid of each.
func (s *Set) LongLived() []Finding { return slices.Clone(s.longLived) }

// TokenFiles lists the audiences whose tokens stand in files of workspaces.
func (s *Set) TokenFiles() []Finding { return slices.Clone(s.tokenFiles) }

// Rebind is the set with its names of groups looked up again, after the directory changed. No name is resolved for
// the first time: that is the Loader's, which stores what it found. changed is false, and the result is s, when
// that makes no difference.
func (s *Set) Rebind(groups Groups) (next *Set, changed bool) {
	copied := *s
	next = &copied
	next.bind(groups, false)
	same := slices.Equal(next.findings, s.findings) && next.awaiting == s.awaiting &&
		equalRoles(next.globalGroups, s.globalGroups) && len(next.projects) == len(s.projects)
	for i := 0; same && i < len(next.projects); i++ {
		same = equalRoles(next.projects[i].Roles, s.projects[i].Roles) && next.projects[i].Closed == s.projects[i].Closed
	}
	if same {
		return s, false
	}
	return next, true
}

func equalRoles(a, b map[Role][]identity.GroupID) bool {
	if len(a) != len(b) {
		return false
	}
	for role, groups := range a {
		if !slices.Equal(groups, b[role]) {
			return false
		}
	}
	return true
}

// bind resolves the groups of all roles. With pinning, names that were never resolved before are, and the result is
// what must be stored for them.
func (s *Set) bind(groups Groups, pinning bool) []Pin {
	r := resolver{tenant: s.tenant, pins: s.pins, groups: groups, pinning: pinning}
	s.globalGroups = r.roles(s.global)
	s.projects = make([]Project, len(s.drafts))
	claims, said := s.claims(groups)
	r.findings = append(r.findings, said...)
	for i, d := range s.drafts {
		p := d.Project
		if d.made == nil {
			p.Roles = r.roles(d.roles)
		} else if claims.of != nil {
			r.findings = append(r.findings, s.bindGroups(&p, d.made, claims, groups)...)
		} else {
			p.FromGroups, p.ClosedAt, p.Closed = true, d.made.Closed, d.made.Why
		}
		s.projects[i] = p
	}
	r.findings.Sort()
	s.findings, s.awaiting = r.findings, r.awaiting
	if len(r.newPins) > 0 {
		s.pins = maps.Clone(s.pins)
		for _, pin := range r.newPins {
			s.pins[pin.Name] = pin.Group
		}
	}
	return r.newPins
}
