// Package registration puts Lanyard's app registration into a tenant through Microsoft Graph, and keeps it as it should
// be. It looks at what is there, makes a plan of what differs, and carries that out one request at a time. The plan is
// made of the tenant's own state and nothing else, so whatever interrupts it, doing it again completes it, and when all
// is as it should be the plan is empty.
//
// Objects that were made a moment ago are not everywhere in the tenant yet: they are waited for.
package registration

import (
	"errors"
	"net/http"
	"time"
)

// Wanted says what the tenant shall hold.
type Wanted struct {
	Name string // of the app registration, for people
	URL  string // of Lanyard's pages, without trailing slash
	// RedirectURIs are where sign-in and sign-out lead back to; LogoutURL is told when somebody signs out at the tenant.
	RedirectURIs []string
	LogoutURL    string
	// ClientID is that of a registration that is there already; empty: it is made, or found by the mark
	// that an interrupted run left in its notes.
	ClientID string
	// GroupClaims puts people's security groups into tokens, for a Lanyard that may not read the directory.
	GroupClaims bool
	// Application and Delegated are the permissions at Microsoft Graph, by their names.
	Application, Delegated []string
	Credentials            []Credential
	Roles                  []Role
	// Assign gives people and groups (object ID, user principal name, or a group's name) a role, by its value, or access
	// alone where that is empty. Whoever carries the plan out is the first admin when Me is set.
	Assign []Assign
	Me     string // role's value; empty: none
	// Provisioning is the second enterprise application, for the tenant's provisioning service; nil: none.
	Provisioning *Provisioning
}

// Role is an app role: what the tenant may say of a person.
type Role struct{ ID, Value, Name, Description string }

// Assign gives somebody a role.
type Assign struct{ Who, Role string }

// The roles that Lanyard brings; lanyard.yaml says what they mean ("app-role:Lanyard.Admin").
const (
	AdminRole   = "Lanyard.Admin"
	AuditorRole = "Lanyard.Auditor"
)

// Roles are the app roles of every registration. Their IDs need to be unique within it only.
func Roles() []Role {
	return []Role{
		{"5b0f2d4e-6c53-4f0b-9f0d-3d1c6a52a7e1", AdminRole, "Lanyard administrator", "Administers Lanyard: sees everything, ends sessions, approves"},
		{"c0a7a9de-28f4-4f27-8a45-1ad0b1fd7a36", AuditorRole, "Lanyard auditor", "Reads Lanyard's audit log and who may do what"},
	}
}

// Reads says what Lanyard is to read at Microsoft Graph.
type Reads struct {
	Users, Groups bool // by itself; Groups with their members and app roles
	SignIns       bool // the tenant's log of them
	People        bool // each person's own groups, as that person
}

// Permissions are those at Microsoft Graph that this takes. The delegated ones are consented to for everybody, so that
// nobody is asked when they sign in.
func Permissions(r Reads) (application, delegated []string) {
	if r.Users {
		application = append(application, "User.Read.All")
	}
	if r.Groups {
		application = append(application, "Group.Read.All", "Application.Read.All")
	}
	if r.SignIns {
		application = append(application, "AuditLog.Read.All", "Directory.Read.All")
	}
	delegated = []string{"openid", "profile", "email", "offline_access"}
	if r.People {
		delegated = append(delegated, "User.Read")
	}
	return application, delegated
}

// Config is what a Setup is made of.
type Config struct {
	Wanted Wanted
	Graph  string // base URL with version, such as https://graph.microsoft.com/v1.0
	// Token answers with an access token for Microsoft Graph; a fresh one when the one before was refused.
	Token Token
	HTTP  *http.Client
	// NotesFile keeps what was made until all is done, so that a run after an interrupted one finds it although the tenant
	// does not show it yet; empty: that is forgotten.
	NotesFile string
	// Patience is how long an object that was made is waited for; zero: two minutes.
	Patience time.Duration
	Pause    time.Duration    // before something is tried again, the first time; zero: a quarter of a second
	Now      func() time.Time // nil: time.Now
	// Waits is told what is waited for, once for each; nil: nobody.
	Waits func(what string)
}

// Setup looks, plans and does.
type Setup struct {
	wanted   Wanted
	graph    *graph
	file     string
	patience time.Duration
	now      func() time.Time
	waits    func(string)
	notes    notes
	values   map[string]string // what placeholders in requests stand for
	said     map[string]bool
}

// New returns a Setup; nothing is asked yet.
func New(c Config) (*Setup, error) {
	if c.Wanted.Name == "" || c.Wanted.URL == "" || c.Graph == "" || c.Token == nil {
		return nil, errors.New("a registration needs a name, Lanyard's URL, Graph's, and a token")
	}
	s := &Setup{
		wanted: c.Wanted, file: c.NotesFile, patience: c.Patience, now: c.Now, waits: c.Waits, values: map[string]string{}, said: map[string]bool{},
		graph: &graph{base: c.Graph, token: c.Token, http: c.HTTP, pause: c.Pause},
	}
	if s.graph.http == nil {
		s.graph.http = &http.Client{Timeout: 30 * time.Second}
	}
	if s.graph.pause == 0 {
		s.graph.pause = 250 * time.Millisecond
	}
	if s.patience == 0 {
		s.patience = 2 * time.Minute
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.waits == nil {
		s.waits = func(string) {}
	}
	return s, nil
}
