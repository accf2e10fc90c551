// Package connection keeps people's connections to Git hosts: the tokens that such a host gave for a person, after that
// person agreed there in the browser, and the tokens of Lanyard's own installation there. Hosts are GitHub, or speak
// as it does (GitHub Apps). Tokens are sealed on the server, renewed before they end, and never shown.
package connection

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// App is a GitHub App that was registered for this installation of Lanyard.
type App struct {
	Name       string // in project files
	URL        string // of the host: https://github.com
	API        string // https://api.github.com, or https://HOST/api/v3
	ClientID   string
	SecretFile string // of the client secret; empty: people cannot connect
	KeyFile    string // of the app's private key, PEM; empty: no installation tokens
}

// host is where the app's tokens may be sent.
func (a App) host() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Row is a person's connection as it is stored.
type Row struct {
	User    identity.UserID
	App     string
	Login   string // at the host, for show
	Account string // the host's own ID of the account
	Sealed  []byte // tokens
	Made    time.Time
	Renewed time.Time
	Ends    time.Time // of the refresh token
	Broken  string    // why it has to be made anew; empty while it works
	Version int64     // counts changes, from 1
}

// Rows stores connections.
type Rows interface {
	// Connection finds one; found is false where there is none.
	Connection(ctx context.Context, u identity.UserID, app string) (row Row, found bool, err error)
	// Connections are a person's, by app.
	Connections(ctx context.Context, u identity.UserID) ([]Row, error)
	// PutConnection adds one, or replaces what is there of the same person and app, with the events.
	PutConnection(ctx context.Context, row Row, events ...audit.Event) error
	// RenewConnection replaces Sealed, Renewed, Ends and Broken where the version is still row.Version, and counts it. Of
	// several at once one is done.
	RenewConnection(ctx context.Context, row Row) (done bool, err error)
	// DropConnection removes one with the events; found is false, and nothing recorded, where there is none.
	DropConnection(ctx context.Context, u identity.UserID, app string, events ...audit.Event) (found bool, err error)
}

// Once keeps what may be used once: the states of connections under way.
type Once interface {
	PutOnce(ctx context.Context, kind string, hash [32]byte, body []byte, expires time.Time) error
	TakeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error)
}

// Sealer keeps tokens unreadable at rest.
type Sealer interface {
	Seal(associated string, plain []byte) []byte
	Open(associated string, sealed []byte) ([]byte, error)
}

// Config makes a Service.
type Config struct {
	Apps   []App
	URL    string       // Lanyard's own, without trailing slash
	HTTP   *http.Client // follows no redirects, and dials no address that upstreams may not have
	Rows   Rows
	Once   Once
	Sealer Sealer
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Service connects people and gives their tokens to upstream.
type Service struct {
	c Config

	mu            sync.Mutex
	people        map[personKey]*personToken
	installations map[installationKey]*installationToken
}

// New returns a Service. It talks to nobody before it has to.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c: c, people: map[personKey]*personToken{}, installations: map[installationKey]*installationToken{}}
}

// Apps are the apps that people can connect to.
func (s *Service) Apps() (names []App) {
	for _, a := range s.c.Apps {
		if a.SecretFile != "" {
			names = append(names, a)
		}
	}
	return names
}

// app finds an app, for a token that is to be sent to a host: it goes to no other than the app's own.
func (s *Service) app(name, host string) (App, error) {
	for _, a := range s.c.Apps {
		if a.Name != name {
			continue
		}
		if host != "" && !strings.EqualFold(host, a.host()) {
			return App{}, problem.New(problem.BadUpstream,
				"The project gives %s the tokens of %s, which are for %s alone; an administrator has to mend the project's file.", host, name, a.host())
		}
		return a, nil
	}
	return App{}, problem.New(problem.BadUpstream, "Lanyard has no GitHub App named %q; an administrator has to write it into the configuration.", name)
}

// start is the address at which a person makes or renews a connection.
func (s *Service) start(a App) string { return s.c.URL + "/connections/" + a.Name }

// SealedAs is what a connection's tokens are sealed as.
func SealedAs(u identity.UserID, app string) string { return "connection:" + app + ":" + u.Key() }

// Forget drops cached tokens that have ended; the server calls it from time to time.
func (s *Service) Forget() {
	now := s.c.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, t := range s.people {
		if t.mu.TryLock() {
			if now.After(t.looked.Add(lookAgain)) {
				delete(s.people, k)
			}
			t.mu.Unlock()
		}
	}
	for k, t := range s.installations {
		if t.mu.TryLock() {
			if now.After(t.until) {
				delete(s.installations, k)
			}
			t.mu.Unlock()
		}
	}
}
