// Package issuer is Lanyard's OAuth and OpenID endpoints: where clients such as the CLI get tokens for Lanyard itself,
// and where whoever verifies a token finds the keys.
//
// The documents are RFC 6749, 7009, 7636, 7662, 8252, 8414, 8628, 8693, 8707, 9068, 9207, 9449 and OpenID Connect Core and
// Discovery 1.0. Errors are in their words.
package issuer

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// The addresses, below the issuer's own.
const (
	DiscoveryPath     = "/.well-known/openid-configuration"
	MetadataPath      = "/.well-known/oauth-authorization-server"
	JWKSPath          = "/oauth/jwks"
	AuthorizePath     = "/oauth/authorize"
	DevicePath        = "/oauth/device"
	DeviceAuthPath    = "/oauth/device_authorization"
	TokenPath         = "/oauth/token"
	UserInfoPath      = "/oauth/userinfo"
	IntrospectionPath = "/oauth/introspect"
	RevocationPath    = "/oauth/revoke"
)

// How long things are good for.
const (
	accessLife = 10 * time.Minute
	codeLife   = time.Minute
	deviceLife = 10 * time.Minute
	nonceLife  = time.Minute
	proofSkew  = 30 * time.Second // how far a client's clock may be off
	pollEvery  = 5 * time.Second
)

// Rows keeps codes that may be used once, and refresh tokens by their hashes.
type Rows interface {
	PutOnce(ctx context.Context, kind string, hash [32]byte, body []byte, expires time.Time) error
	SeeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error)
	TakeOnce(ctx context.Context, kind string, hash [32]byte) (body []byte, ok bool, err error)

	AddRefreshToken(ctx context.Context, hash [32]byte, session identity.SessionID, scope string, expires time.Time) error
	UseRefreshToken(ctx context.Context, hash, next [32]byte, now time.Time) (session identity.SessionID, usedBefore bool, err error)
	RefreshTokenOf(ctx context.Context, hash [32]byte) (session identity.SessionID, scope string, err error)
}

// Recorder is the audit log.
type Recorder interface {
	Later(audit.Event)
	Durable(context.Context, ...audit.Event) error
}

// Config makes an Issuer.
type Config struct {
	URL       string // of the issuer, without trailing slash
	Keys      *token.Keys
	Nonces    token.Nonces // its Life is set here
	Rows      Rows
	Sessions  *session.Manager
	Directory func() *directory.Snapshot
	Clients   []Client // beside Lanyard's own
	Shared    bool     // other processes answer on the same rows
	Audit     Recorder
	// Allow says whether something that anybody may ask for, and that is kept a while, may be asked for from a peer (as in
	// http.Request.RemoteAddr) now; nil: always.
	Allow func(peer string, now time.Time) bool
	// Serve says whether a peer may ask for tokens, or end them, now: each such request is work, whoever sends it; nil: always.
	Serve func(peer string, now time.Time) bool
	// Mint is what tokens for audiences need; without its Access none are given.
	Mint MintConfig
	// Page shows a person what a client asks for.
	Page func(http.ResponseWriter, int, Page)
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

// Issuer answers OAuth clients.
type Issuer struct {
	c        Config
	clients  map[string]*Client
	proofs   *token.Once
	rates    map[string]*rate // by client ID
	refusals refusals
	polls    polls
	verified verified[accessClaims]
	minted   verified[Claims]
	rights   rights
	revoked  revoked
}

// New returns an issuer.
func New(c Config) *Issuer {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Nonces.Life = nonceLife
	s := &Issuer{c: c, clients: map[string]*Client{}, rates: map[string]*rate{}, proofs: token.NewOnce(nonceLife + proofSkew)}
	for _, client := range append([]Client{cli()}, c.Clients...) {
		s.clients[client.ID], s.rates[client.ID] = &client, &rate{most: client.Requests}
	}
	return s
}

// Machine are the routes of the machine site: what programs call.
func (s *Issuer) Machine() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: DiscoveryPath, Access: web.Public("it says where what is"), Serve: s.discovery},
		{Method: http.MethodGet, Path: MetadataPath, Access: web.Public("it says where what is"), Serve: s.metadata},
		{Method: http.MethodGet, Path: JWKSPath, Access: web.Public("public keys"), Serve: s.jwks},
		{Method: http.MethodPost, Path: DeviceAuthPath, Access: web.Public("a person has to allow it before anything comes of it"), Serve: oauth(s.deviceAuthorization)},
		{Method: http.MethodPost, Path: TokenPath, Access: web.Asks("the grant stands in the request's body"), Serve: oauth(s.watched("oauth:token", s.token))},
		{Method: http.MethodPost, Path: IntrospectionPath, Access: web.Asks("the client stands in the request's body"), Serve: oauth(s.watched("oauth:introspect", s.introspect))},
		{Method: http.MethodPost, Path: RevocationPath, Access: web.Asks("the client stands in the request's body"), Serve: oauth(s.watched("oauth:revoke", s.revoke))},
		{Path: UserInfoPath, Access: web.Asks("the access token says for whom"), Serve: oauth(s.userInfo)},
	}
}

// Pages are the routes of the pages site: what people see in a browser.
func (s *Issuer) Pages() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: AuthorizePath, Access: web.Public("it leads to the sign-in; who is signed in sees what a client asks of them"), Serve: s.authorize},
		{Method: http.MethodPost, Path: AuthorizePath, Access: web.Needs(identity.SelfAuthorize), On: own, Serve: s.allow},
		{Method: http.MethodGet, Path: DevicePath, Access: web.Public("it leads to the sign-in; who is signed in may type a code"), Serve: s.device},
		{Method: http.MethodPost, Path: DevicePath, Access: web.Needs(identity.SelfAuthorize), On: own, Serve: s.allowDevice},
	}
}

func own(_ *http.Request, p identity.Principal) (identity.Resource, error) {
	return identity.Own(p.User), nil
}

// url is the absolute address of a path of the issuer's.
func (s *Issuer) url(path string) string { return s.c.URL + path }
