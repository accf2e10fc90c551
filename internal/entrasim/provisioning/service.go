package provisioning

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// Source is the tenant that is provisioned from.
type Source interface {
	// Extract reads what concerns the enterprise application of a client ID: everybody, who is assigned, its roles.
	Extract(app string) (entrasim.Extract, error)
	// ProvisioningAssertion is what the service shows at a token endpoint in place of a secret.
	ProvisioningAssertion(clientID string) (string, error)
}

// Config is what a Service is made of.
type Config struct {
	Source Source
	// App is the client ID of the enterprise application whose assignments are provisioned.
	App  string
	HTTP *http.Client // nil: http.DefaultClient
	// Backoff is the first pause before a request is tried again; each further one is twice as long. 0: 500 ms.
	Backoff time.Duration
	Clock   func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Service provisions one enterprise application. It is safe for concurrent use; one cycle runs at a time.
type Service struct {
	source  Source
	app     string
	http    *http.Client
	backoff time.Duration
	now     func() time.Time
	log     *slog.Logger

	cycle chan struct{} // held by what sends requests

	mu        sync.Mutex
	settings  Settings
	watermark int64 // number of the tenant's last change that was looked at; 0: the next cycle is an initial one
	users     map[string]*userLink
	groups    map[string]*groupLink
	owners    map[string]string   // ID at the endpoint → object ID
	retry     map[string]struct{} // object IDs that failed and are tried again
	status    Status
	records   []Record
}

// New makes a service, which does nothing until it has settings.
func New(c Config) *Service {
	s := &Service{source: c.Source, app: c.App, http: c.HTTP, backoff: c.Backoff, now: c.Clock, log: c.Log, cycle: make(chan struct{}, 1)}
	if s.http == nil {
		s.http = http.DefaultClient
	}
	if s.backoff == 0 {
		s.backoff = 500 * time.Millisecond
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.forget()
	return s
}

// forget makes the next cycle an initial one. s.mu is held, or nobody else knows s.
func (s *Service) forget() {
	s.watermark = 0
	s.users, s.groups, s.retry = map[string]*userLink{}, map[string]*groupLink{}, map[string]struct{}{}
	s.owners = map[string]string{}
}

// Configure takes settings over. Another tenant URL begins anew.
func (s *Service) Configure(c Settings) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	s.cycle <- struct{}{}
	defer func() { <-s.cycle }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.TenantURL != s.settings.TenantURL {
		s.forget()
	}
	s.settings = c
	s.status.State, s.status.Since, s.status.LastError = Idle, s.now(), ""
	return nil
}

// Settings are those in force, without secrets.
func (s *Service) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.settings
	c.Credential = nil
	return c
}

// Restart forgets what was provisioned, ends a quarantine, and makes the next cycle an initial one, which finds by a
// query what is there already.
func (s *Service) Restart() {
	s.cycle <- struct{}{}
	defer func() { <-s.cycle }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	s.status = Status{State: Idle, Since: s.now()}
}

var errNoSettings = errors.New("the provisioning service has no tenant URL yet")

// session begins what sends requests; end must be called.
func (s *Service) session(ctx context.Context) (c *client, settings Settings, end func(), err error) {
	select {
	case s.cycle <- struct{}{}:
	case <-ctx.Done():
		return nil, Settings{}, nil, ctx.Err()
	}
	end = func() { <-s.cycle }
	s.mu.Lock()
	settings = s.settings
	s.mu.Unlock()
	if settings.TenantURL == "" {
		end()
		return nil, Settings{}, nil, errNoSettings
	}
	return newClient(s, settings), settings, end, nil
}

// TestConnection asks for a user that cannot exist, as the button of that name does.
func (s *Service) TestConnection(ctx context.Context) error {
	c, settings, end, err := s.session(ctx)
	if err != nil {
		return err
	}
	defer end()
	_, err = c.find(ctx, "Users", settings.Users.Match, randomGUID(), "")
	return err
}
