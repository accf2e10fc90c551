// Package project holds projects: their roles, repositories, resources and templates, as the files of the
// configuration say. A Set is immutable; reading files into one is pure. Loader follows the folders.
package project

import (
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Role is a role of a project, or of the installation.
type Role = policy.Role

// The roles.
const (
	NoRole     = policy.NoRole
	Viewer     = policy.Viewer
	Developer  = policy.Developer
	Maintainer = policy.Maintainer
	Admin      = policy.Admin
	Auditor    = policy.Auditor
)

// DefaultTimeout is how long a workspace runs with nobody in it when its project says nothing.
const DefaultTimeout = 30 * time.Minute

// Project is a namespace of repositories, resources and workspaces, with roles. It is part of a Set; do not change it.
type Project struct {
	ID           identity.ProjectID
	Name         string
	Roles        map[Role][]identity.GroupID // the groups that hold each role; what could not be resolved is missing
	Repositories []Repository
	Apps         []App
	Audiences    []Audience
	Registries   []Registry
	Agents       []AgentTemplate
	Workspace    Template
	SignInAge    time.Duration // how old a sign-in may be for what belongs to the project; 0: as old as sign-ins may be
	File         string        // the file it is written in
	// FromGroups says that it is made of groups. Such a project is closed when none of them stands any more: Closed is
	// why, and ClosedAt since when as far as that is stored. A closed project gives nobody a role.
	FromGroups bool
	Closed     string
	ClosedAt   time.Time
}

// Role is the strongest role that somebody holds in the project, and the group that gives it. holds says whether
// they are in a group.
func (p Project) Role(holds func(identity.GroupID) bool) (best Role, via identity.GroupID) {
	roles := policy.ProjectRoles()
	for i := len(roles) - 1; i >= 0; i-- {
		for _, g := range p.Roles[roles[i]] {
			if holds(g) {
				return roles[i], g
			}
		}
	}
	return NoRole, identity.GroupID{}
}

// Repository is a Git repository behind the gateway.
type Repository struct {
	URL        string // canonical, see CanonicalRepository
	Credential Credential
	Sensitive  string     // the authentication context that reading and writing need; empty for none
	Refs       []RefRule  // the first that matches a ref holds for it
	Prebuilds  *Prebuilds // nil: none are made
}

// Resource names the repository for a decision.
func (r Repository) Resource(p identity.ProjectID) identity.Resource {
	return identity.Resource{Kind: identity.KindRepo, Name: r.URL, Project: p}
}

// App is an internal HTTP application behind the gateway.
type App struct {
	Name     string   // unique in the installation
	URL      *url.URL // http or https, with an optional base path; do not change it
	Audience string   // of the assertion that says who is calling; empty for none
	// Connection says how it is reached.
	Connection Connection
	Rules      AppRules // none: everything is as the policies say
}

// Resource names the app for a decision.
func (a App) Resource(p identity.ProjectID) identity.Resource {
	return identity.Resource{Kind: identity.KindApp, Name: a.Name, Project: p}
}

// Credential says how the gateway proves itself to what stands behind it. At most one field is set.
type Credential struct {
	EntraScope string // the person's own token for this scope
	BasicFile  string // path of a file that holds user:password
	BearerFile string // path of a file that holds a token
	EntraApp   string // the token of Lanyard's own app registration for this scope
	GitHubUser string // the person's own token, by their connection to the GitHub App of this name
	GitHubApp  string // a token of this GitHub App's installation
}

// LongLived is the file of a credential that outlives a session, and its key in the configuration; both empty where
// there is none.
func (c Credential) LongLived() (key, file string) {
	switch {
	case c.BasicFile != "":
		return "basic_file", c.BasicFile
	case c.BearerFile != "":
		return "bearer_file", c.BearerFile
	}
	return "", ""
}

// Template is what a project's workspaces are made from.
type Template struct {
	Timeout time.Duration // without anybody in it
	Egress  []EgressRule  // where they may connect to; none: nowhere
	Class   string        // of workspaces that ask for none; empty: the configuration's default
	Classes []string      // that may be asked for; empty: all
	Image   string        // where the repository names none; empty: the runtime's own
	Images  []string      // that repositories may name, see AllowsImage; nil: all
	// SecretVariables says that secret environment variables are given to them, where no policy forbids it. They are
	// long-lived credentials in a workspace: `check` lists it.
	SecretVariables bool
	Warm            []Warm // made ahead
}
