package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// metadata is what Lanyard reads of a discovery document (OpenID Connect Discovery, section 3; RFC 9207).
type metadata struct {
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	UserInfo      string   `json:"userinfo_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
}

// tenant is the provider as its discovery document describes it, which is read once.
func (s *Service) tenant(ctx context.Context) (*provider, error) {
	s.discovering.Lock()
	defer s.discovering.Unlock()
	if s.provider != nil {
		return s.provider, nil
	}
	// The provider keeps the context's client for its keys, so the context must not end with this request.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), s.c.HTTP)
	found, err := oidc.NewProvider(ctx, s.c.Tenant.Issuer)
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable,
			"The tenant %s cannot be reached, so nobody can sign in now. Who is signed in may go on.", s.c.Tenant.ID)
	}
	var m metadata
	if err := found.Claims(&m); err != nil {
		return nil, fmt.Errorf("read the tenant's discovery document: %w", err)
	}
	if err := m.check(s.c.Tenant.Issuer); err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The discovery document of %s cannot be used, so nobody can sign in. Tell your administrator.", s.c.Tenant.ID)
	}
	if o := s.c.Tenant.OIDC; o != nil {
		s.c.Tenant.Credential.InHeader(inHeader(o.TokenAuth, m.TokenAuth))
	}
	checks := &oidc.Config{ClientID: s.c.Tenant.ClientID, SupportedSigningAlgs: s.dialect.algorithms(m.Algorithms), Now: s.c.Now}
	s.provider = &provider{
		oauth: oauth2.Config{
			ClientID: s.c.Tenant.ClientID,
			Endpoint: found.Endpoint(), RedirectURL: s.c.URL + s.c.Tenant.RedirectPath(), Scopes: s.dialect.scopes(),
		},
		// Signature by the tenant's own keys and with its algorithms alone, issuer, audience and expiry are checked here; the
		// nonce, and whose the token is, in dialect.go.
		verifier: found.Verifier(checks),
		issuer:   s.c.Tenant.Issuer, keys: oidc.NewRemoteKeySet(ctx, m.Keys), checks: checks,
		sources: s.dialect.sources(), userinfo: m.UserInfo, logout: m.EndSession, names: m.NamesIssuer,
	}
	return s.provider, nil
}

// check looks at the addresses: what a document says must not lead to plain http, or to something that is no address.
func (m metadata) check(issuer string) error {
	plain := strings.HasPrefix(issuer, "http://") // on this machine: the configuration allows no other
	for name, address := range map[string]string{
		"authorization_endpoint": m.Authorization, "token_endpoint": m.Token, "jwks_uri": m.Keys, "userinfo_endpoint": m.UserInfo, "end_session_endpoint": m.EndSession,
	} {
		if address == "" && (name == "userinfo_endpoint" || name == "end_session_endpoint") {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || strings.Contains(address, "#") || u.Scheme != "https" && !(plain && u.Scheme == "http") {
			return errors.New(name + " is not an https:// address")
		}
	}
	return nil
}

// inHeader says whether a client secret goes into the Authorization header: as it was configured, or as the provider
// lists it; that is what one that lists nothing takes (OpenID Connect Discovery, section 3).
func inHeader(configured string, listed []string) bool {
	const basic = "client_secret_basic"
	if configured != "" {
		return configured == basic
	}
	return len(listed) == 0 || slices.Contains(listed, basic)
}

// Origins are where the forms of our pages lead: the issuer's, and those of the endpoints that people are sent to, once
// they are known.
func (s *Service) Origins() string {
	all := []string{web.Origin(s.c.Tenant.Issuer)}
	s.discovering.Lock()
	p := s.provider
	s.discovering.Unlock()
	if p != nil {
		for _, address := range []string{p.oauth.Endpoint.AuthURL, p.logout} {
			if origin := web.Origin(address); address != "" && !slices.Contains(all, origin) {
				all = append(all, origin)
			}
		}
	}
	return strings.Join(all, " ")
}

// fromIssuer refuses an answer that another issuer gave than the sign-in was begun at (RFC 9207): its name is wrong, or
// missing where this issuer gives it. Errors are answers too.
func (s *Service) fromIssuer(p *provider, u underway, answer url.Values) error {
	said, named := answer.Get("iss"), answer.Has("iss")
	if u.Issuer != s.c.Tenant.Issuer || named && said != s.c.Tenant.Issuer || p.names && !named {
		return problem.New(problem.Denied, "The answer came from another issuer than the sign-in was begun at. Nothing was done.")
	}
	return nil
}
