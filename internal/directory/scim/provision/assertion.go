package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/token"
)

// Assertion says which assertions of the tenant's stand for its provisioning service (RFC 7523 §2.2; Entra's workload
// identity federation for SCIM).
type Assertion struct {
	Issuer    string // of the tenant's v2.0 tokens
	Tenant    identity.TenantID
	Audiences []string // any of them; an application ID, api://ID and api://ID/.default are the same one
	Subjects  []string // the object IDs of the provisioning service in this tenant
	Keys      token.Finder
}

func (a Assertion) configured() bool {
	return len(a.Audiences) > 0 && len(a.Subjects) > 0 && a.Keys != nil
}

const (
	maxAssertion    = 16 << 10
	assertionLeeway = time.Minute
	longestLife     = 25 * time.Hour
)

// Received is what a refused assertion said, for who has to mend the configuration.
type Received struct {
	At       time.Time
	Why      string
	Signed   bool // by the tenant: only then is the rest more than somebody's claim
	Issuer   string
	Audience []string
	Subject  string
	Tenant   string
}

// refusals keeps the last refused assertion.
type refusals struct {
	mu   sync.Mutex
	last *Received
}

func (r *refusals) note(n Received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && r.last.Signed && !n.Signed && n.At.Sub(r.last.At) < 24*time.Hour {
		return // what somebody makes up does not push out what the tenant said
	}
	r.last = &n
}

func (r *refusals) get() *Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// checkAssertion returns why an assertion is not taken; nothing when it is.
func (s *Service) checkAssertion(ctx context.Context, raw string) (why string) {
	got := Received{At: s.c.Now()}
	defer func() {
		if why == "" {
			return
		}
		got.Why = why
		s.refusals.note(got)
		s.log.Warn("an assertion of a provisioning service was refused", "why", why, "signed by the tenant", got.Signed,
			"iss", got.Issuer, "aud", got.Audience, "sub", got.Subject, "tid", got.Tenant)
	}()
	a := s.c.Assertion
	if len(raw) > maxAssertion {
		return "it is too large"
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256})
	if err != nil {
		return "it is not a JWT signed with RS256, PS256 or ES256"
	}
	var c struct {
		jwt.Claims
		Tenant string `json:"tid"`
	}
	// What it says is read before it is believed, to be shown to who configures this.
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c); err != nil {
		return "its claims cannot be read"
	}
	got.Issuer, got.Audience, got.Subject, got.Tenant = shown(c.Issuer), shownAll(c.Audience), shown(c.Subject), shown(c.Tenant)
	if a.Keys == nil {
		return "federation is not configured: set entra.scim"
	}
	id := signed.Signatures[0].Protected.KeyID
	if id == "" {
		return "it names no key"
	}
	key, err := a.Keys.Find(ctx, id)
	if err != nil {
		return fmt.Sprintf("its key is not among the tenant's: %v", err)
	}
	if _, err := signed.Verify(key.Key); err != nil {
		return "its signature is wrong"
	}
	got.Signed = true
	now := s.c.Now()
	switch {
	case !a.configured():
		return "federation is not configured: set entra.scim"
	case c.Issuer != a.Issuer:
		return "its iss is not this tenant's, " + a.Issuer
	case c.Tenant != string(a.Tenant):
		return "its tid is not this tenant, " + string(a.Tenant)
	case !slices.ContainsFunc(c.Audience, a.expects):
		return "its aud is none of entra.scim.audience"
	case !slices.Contains(a.Subjects, c.Subject):
		return "its sub is none of entra.scim.subject"
	case c.Expiry == nil:
		return "it never expires"
	case c.Expiry.Time().After(now.Add(longestLife)):
		return "it lives too long"
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Time: now}, assertionLeeway); err != nil {
		return fmt.Sprintf("it is not valid now: %v", err)
	}
	return ""
}

func (a Assertion) expects(audience string) bool {
	return audience != "" && slices.ContainsFunc(a.Audiences, func(want string) bool { return application(want) == application(audience) })
}

// application is the application of an audience, however that is written.
func application(audience string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(audience, "api://"), "/.default"))
}

func shown(s string) string { return s[:min(len(s), 200)] }

func shownAll(list []string) (all []string) {
	for _, s := range list[:min(len(list), 5)] {
		all = append(all, shown(s))
	}
	return all
}
