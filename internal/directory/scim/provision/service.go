package provision

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/scim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// Path is where SCIM is served.
const Path = "/scim/v2"

const actor = "service:provisioning"

// Directory is what the service asks of directory.Directory.
type Directory interface {
	Snapshot() *directory.Snapshot
	Apply(ctx context.Context, c directory.Change, reason string) error
}

// Sealer is what the service asks of token.Sealer.
type Sealer interface {
	Tag(purpose, text string) string
	Tagged(purpose, text, by string) bool
}

// Config is what a Service needs. Allow, Now and Log may be nil.
type Config struct {
	Rows      Rows
	Tenant    identity.TenantID
	URL       string // of the pages, without trailing slash
	Directory Directory
	// Leads reports whether this process writes the directory: then changes take effect before they are answered.
	Leads func() bool
	// Members says that the provisioning service is the one source of groups and memberships; otherwise it only disables
	// people. Users says that it is the one source of who there is, too.
	Members, Users bool
	Assertion      Assertion
	Sealer         Sealer
	Audit          func(audit.Event)
	// Allow reports whether a request without a valid credential from this peer (as in http.Request.RemoteAddr) is still
	// worth an answer and an audit event.
	Allow func(remote string, now time.Time) bool
	Log   *slog.Logger
	Now   func() time.Time
}

// Service serves SCIM and applies it to the directory. It is safe for concurrent use.
type Service struct {
	c           Config
	log         *slog.Logger
	registry    *scim.Registry
	credentials *credentials
	refusals    refusals
	figures     figures
	effect      *effect
	pace        *pace
	piled       atomic.Bool   // roles were added to others, which stayed, since the process began
	scans       chan struct{} // held while all resources are looked through
	ready       chan struct{} // closed when everything was applied for the first time
	once        sync.Once
}

// Ready is closed when Run has applied everything for the first time.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// New makes a service. Load comes before it serves.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Audit == nil {
		c.Audit = func(audit.Event) {}
	}
	return &Service{
		c: c, log: c.Log, registry: scim.NewRegistry(), credentials: newCredentials(c.Rows, c.Now), effect: newEffect(),
		pace: newPace(requestsPerSecond, requestsAtOnce), scans: make(chan struct{}, scansAtOnce), ready: make(chan struct{}),
	}
}

const (
	requestsPerSecond = 500 // Entra sends 25 and more
	requestsAtOnce    = 1000
	scansAtOnce       = 2
)

// Load reads the credentials.
func (s *Service) Load(ctx context.Context) error { return s.credentials.load(ctx) }

// Follow takes over what another process stored.
func (s *Service) Follow(ctx context.Context, e feed.Entry) error {
	if e.Topic != feed.Provisioning {
		return nil
	}
	t := newTouched()
	t.add(e.Keys)
	if s.c.Leads() {
		s.effect.add(t, nil)
	}
	if t.credentials {
		return s.credentials.load(ctx)
	}
	return nil
}

// figures count what is asked here.
type figures struct {
	requests, refused, failed atomic.Int64
	last                      atomic.Int64 // Unix nanoseconds of the last request with a valid credential
}

func (f *figures) seen(now time.Time) {
	f.requests.Add(1)
	f.last.Store(now.UnixNano())
}

// Figures are for metrics.
type Figures struct {
	Requests int64     // with a valid credential
	Refused  int64     // without
	Failed   int64     // changes of the directory that had to be tried again
	Last     time.Time // of Requests; zero: none
}

// Figures returns the counts since the start of this process.
func (s *Service) Figures() Figures {
	f := Figures{Requests: s.figures.requests.Load(), Refused: s.figures.refused.Load(), Failed: s.figures.failed.Load()}
	if last := s.figures.last.Load(); last != 0 {
		f.Last = time.Unix(0, last)
	}
	return f
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// objectOf is the object ID that an externalId is; empty where it is something else.
func objectOf(external string) string {
	if !guid.MatchString(external) {
		return ""
	}
	return strings.ToLower(external)
}
