// Package signin is the OpenID Connect relying party: it sends people to the tenant, believes what the tenant says
// of them only after checking it, begins their sign-in, hands it over to Lanyard's other sites, and ends it.
package signin

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Tenant says where people sign in and as what application Lanyard is registered there.
type Tenant struct {
	ID       identity.TenantID // the tenant's GUID: the only `tid` accepted; elsewhere the issuer
	Issuer   string            // https://login.microsoftonline.com/<tid>/v2.0
	ClientID string
	OIDC     *OIDC // nil: the tenant is Entra's
	// Credential is how Lanyard proves itself at the token endpoint; nil: by ClientSecret, which is in no file then.
	Credential   *credential.App
	ClientSecret string
}

// Once keeps things that may be used once: states, hand-off codes, codes to step up with. Take returns a thing to one
// caller only; See leaves it there.
type Once interface {
	SeeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error)
	PutOnce(ctx context.Context, kind string, hash [32]byte, body []byte, expires time.Time) error
	TakeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error)
}

// Sealer keeps refresh tokens unreadable at rest.
type Sealer interface {
	Seal(associated string, plain []byte) []byte
	Open(associated string, sealed []byte) ([]byte, error)
}

// Recorder is the audit log.
type Recorder interface{ Later(audit.Event) }

// Config makes a Service.
type Config struct {
	Tenant   Tenant
	URL      string // Lanyard's own, without trailing slash
	HTTP     *http.Client
	Sessions *session.Manager
	Identify session.Identifier
	Access   access.Authorizer
	Facts    func() *access.Facts
	Once     Once
	Sealer   Sealer
	Audit    Recorder
	// Memory keeps how people signed in; nil: nothing does.
	Memory Memory
	// Unknown is told of a person who signed in and is not in the directory yet, so that it is read at once.
	Unknown func(identity.UserID)
	// Seen keeps what tokens say of people, before they are signed in, where the directory is made of that; nil: the
	// directory is read, and groups and roles in tokens are ignored.
	Seen func(context.Context, signedin.Sighting) error
	// SiteOf says whether a host is one of Lanyard's sites that sessions are handed over to, and what is asked there.
	SiteOf func(host string) (access.Request, identity.WorkspaceID, bool)
	// FormPost lets the tenant's page post its answer (response_mode form_post), so that no code stands in a URL.
	FormPost bool
	// NoGuests refuses who is another tenant's.
	NoGuests bool
	// Allow says whether a sign-in may be begun from a peer (as in http.Request.RemoteAddr) now; nil: always. Each is a
	// row that anybody can make the database keep for a while.
	Allow func(peer string, now time.Time) bool
	// Grants keeps what people stepped up for, for so long; Page shows them what they are asked.
	Grants      StepUps
	StepUpLasts time.Duration
	Page        func(http.ResponseWriter, int, StepUpPage)
	// TrialBegin asks a person whether they want to test signing in, with a form that posts the code to where it was opened.
	TrialBegin func(http.ResponseWriter, TrialBegin)
	// TrialPage shows a person what the tenant said of them in a test of signing in.
	TrialPage func(http.ResponseWriter, Trial)
	Log       *slog.Logger
	Now       func() time.Time // nil: time.Now
}

// StepUps keeps what people stepped up for.
type StepUps interface {
	StepUp(context.Context, grant.Stronger, audit.Event) (grant.Grant, error)
}

// Service is the relying party.
type Service struct {
	c       Config
	dialect dialect

	discovering sync.Mutex
	provider    *provider // nil until discovery has worked once

	tokens   tokenCache
	refusals refusals
	offers   offers
}

type provider struct {
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	issuer   string
	keys     oidc.KeySet
	checks   *oidc.Config
	sources  string // see dialect
	userinfo string // empty: there is none
	logout   string
	names    bool // its answers name it (RFC 9207)
}

// New returns a service. It does not talk to the tenant before the first sign-in needs it.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tenant.Credential == nil {
		c.Tenant.Credential = credential.Known(c.Tenant.ClientID, c.Tenant.ClientSecret)
	}
	return &Service{c: c, dialect: dialectOf(c), refusals: refusals{log: c.Audit}}
}

// RedirectPath is where an Entra tenant sends people back to; see Tenant.RedirectPath.
const RedirectPath = "/login/callback/entra"

// LogoutPath is where people land after signing out at the tenant.
const LogoutPath = "/logout/done"

// FrontChannelPath is called by the tenant, in a frame, when somebody signs out there.
const FrontChannelPath = "/logout/frontchannel"
