// Package config reads lanyard.yaml and checks it. Unknown keys, keys of what is not built yet, secrets written in
// place and settings that would be unsafe are errors, with file, line and column.
package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Config is lanyard.yaml, checked, with every default filled in. Paths are absolute.
type Config struct {
	File   string // the configuration's own
	URL    string // of the pages: scheme, host and perhaps port, without trailing slash
	Listen string // host:port

	Data              string // folder
	Database          string // PostgreSQL URL without password; empty for SQLite in Data
	DatabaseFile      string // of a file that holds a PostgreSQL URL; empty where Database or SQLite is used
	EncryptionKeyFile string // outside Data
	ListenReplicas    string // host:port at which the other replicas reach this one; may be empty

	Entra      Entra
	OIDC       *OIDC // nil: people sign in at Entra
	Sessions   Sessions
	StepUp     time.Duration // how long what somebody stepped up for is allowed
	Directory  Directory
	Roles      map[project.Role][]source.Located // Admin and Auditor
	Audit      Audit
	Sandbox    bool                // the sandbox runtime, for trusted users only
	Docker     *Docker             // the docker runtime; exactly one runtime is set
	Apps       string              // domain below which internal apps have their hosts; may be empty
	Workspaces string              // domain below which terminals and ports have their hosts
	Projects   string              // folder; may be empty
	FromGroups *project.FromGroups // nil: no project is made of groups
	Policies   string              // folder; may be empty

	GitHub     []connection.App
	Registries []Registry // of images, that the server knows
	Clients    []Client   // programs of others that get tokens of Lanyard's issuer

	TLS TLS // zero: a proxy in front speaks TLS
	// TrustedProxies are in front of Lanyard, and are believed where requests came from.
	TrustedProxies []netip.Prefix

	AlarmFile string // of a file that holds the address that alarms are told to; may be empty

	Operations Operations
	Limits     Limits
	Classes    workspace.Classes // of workspaces; empty: the standard one
	Rules      workspace.Rules
	Snapshots  snapshot.Limits // of checkouts; zero: the defaults
	Prebuilds  prebuild.Limits // zero: the defaults

	longLived    source.Findings
	certificates []certificate // of the app registration
}

// Entra is the tenant and Lanyard's app registration in it.
type Entra struct {
	Tenant   identity.TenantID // lower-case GUID
	ClientID string
	// Credentials are those of the app registration, at least one.
	Credentials []credential.Files
	Graph       string // base URL with version, https://graph.microsoft.com/v1.0 by default
	Authority   string // base URL, https://login.microsoftonline.com by default
	// Notifications is where Graph posts change notifications to; empty: below the URL of the pages; NoNotifications: nowhere.
	Notifications string
	FormPost      bool // the tenant's page posts its answer to a sign-in
	Guests        Guests
	// SignInLog is NoSignInLog where the tenant's log of sign-ins is not to be read; empty otherwise.
	SignInLog string
	SCIM      SCIM
}

// Issuer is what the tenant's v2.0 tokens carry as `iss`.
func (e Entra) Issuer() string { return e.Authority + "/" + string(e.Tenant) + "/v2.0" }

// TokenURL is the tenant's v2.0 token endpoint.
func (e Entra) TokenURL() string { return e.Authority + "/" + string(e.Tenant) + "/oauth2/v2.0/token" }

// Sessions are the limits of sessions.
type Sessions struct {
	Idle     time.Duration // of browser sessions
	Lifetime time.Duration // of a sign-in and all below it
}

// Directory says how often the directory is read and how old it may be.
type Directory struct {
	Sweep      time.Duration
	StaleAfter time.Duration // beyond it nothing new is allowed
	CloseAfter time.Duration // beyond it what is open closes
	Members    Members
	Users      Members // who says who there is: Graph, or the provisioning service where that says the memberships too
}

// Members is the one source that says who is in which group and holds which app role.
type Members string

// The sources of memberships.
const (
	FromGraph  Members = "graph"   // Lanyard reads Microsoft Graph
	FromSCIM   Members = "scim"    // the tenant's provisioning service tells Lanyard
	FromSignIn Members = "sign-in" // each person's own token, where Lanyard may not read the tenant
)

// The defaults.
const (
	defaultListen     = "127.0.0.1:8080"
	defaultGraph      = "https://graph.microsoft.com/v1.0"
	defaultAuthority  = "https://login.microsoftonline.com"
	defaultIdle       = time.Hour
	defaultLifetime   = 12 * time.Hour
	defaultSweep      = time.Minute
	defaultStaleAfter = 5 * time.Minute
	defaultCloseAfter = 15 * time.Minute
	defaultStepUp     = 15 * time.Minute
)

// Read reads and checks the configuration. What is wrong in it comes as a source.Findings.
func Read(path string) (*Config, error) { return read(path, false) }

func read(path string, draft bool) (*Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer file.Close()
	text, err := readAll(file, source.MaxSize+1)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(path, filepath.Dir(absolute), text, draft)
}

// Parse checks the text of a configuration. name is for messages; base is the folder that relative paths start from.
func Parse(name, base, text string) (*Config, error) { return parse(name, base, text, false) }

func parse(name, base, text string, draft bool) (*Config, error) {
	r := &source.Reader{File: name}
	p := parser{base: base, draft: draft, config: &Config{
		File: name, Listen: defaultListen, Roles: map[project.Role][]source.Located{},
		Entra:     Entra{Graph: defaultGraph, Authority: defaultAuthority},
		Sessions:  Sessions{Idle: defaultIdle, Lifetime: defaultLifetime},
		StepUp:    defaultStepUp,
		Directory: Directory{Sweep: defaultSweep, StaleAfter: defaultStaleAfter, CloseAfter: defaultCloseAfter, Members: FromGraph, Users: FromGraph},
		Limits:    Limits{Connections: defaultConnections, SignIns: defaultSignIns},
	}}
	if m, ok := r.Document(text); ok {
		p.root(m)
	}
	if len(r.Findings) > 0 {
		r.Findings.Sort()
		return nil, r.Findings
	}
	return p.config, nil
}

// Host is the host of the pages, without port.
func (c *Config) Host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
