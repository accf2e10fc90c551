package provision

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/web"
)

// EventRefused is the audit action of a credential that was not taken.
const EventRefused = "scim:refused"

// federated names who has shown an assertion of the tenant's instead of a secret.
const federated = "federated"

// caller is the provisioning service behind a request.
type caller struct {
	credential string // ID, or federated
	name       string
	ip         string
}

// authenticate checks the credential of a request. It is the one door of everything below /scim/v2, and comes before
// anything of the request is read.
func (s *Service) authenticate(r *http.Request) (caller, error) {
	who := caller{ip: web.ClientIP(r)}
	presented, ok := bearer(r)
	if !ok {
		return who, s.refuse(r, "it shows no bearer token", "invalid_request")
	}
	if strings.HasPrefix(presented, tokenPrefix) {
		id, why := s.checkToken(presented)
		if why != "" {
			return who, s.refuse(r, why, "invalid_token")
		}
		who.credential, who.name = id, federated
		if found, ok := (*s.credentials.byID.Load())[id]; ok {
			who.name = found.Name
		}
	} else {
		found, ok := s.credentials.check(presented, Bearer)
		if !ok {
			return who, s.refuse(r, s.whyNot(found, Bearer), "invalid_token")
		}
		who.credential, who.name = found.ID, found.Name
	}
	s.figures.seen(s.c.Now())
	if err := s.credentials.used(r.Context(), who.credential, who.ip); err != nil && r.Context().Err() == nil {
		s.log.Warn("the use of a provisioning credential could not be noted", "credential", who.credential, "error", err)
	}
	return who, nil
}

// bearer is the token of the Authorization header (RFC 6750 §2.1), if there is exactly one.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxToken
}

// whyNot is for the log; who is refused learns nothing of it. found need not be whose secret it is.
func (s *Service) whyNot(found Credential, kind CredentialKind) string {
	switch {
	case found.ID == "":
		return "no credential is known by it"
	case !found.Revoked.IsZero():
		return "it names " + found.ID + ", which was revoked"
	case !found.usable(s.c.Now()):
		return "it names " + found.ID + ", which has expired"
	case found.Kind != kind:
		return "it names " + found.ID + ", which is not for this: a " + string(found.Kind) + " secret"
	default:
		return "it names " + found.ID + ", whose secret is another"
	}
}

// refuse records a credential that was not taken, as long as its address does not come too often.
func (s *Service) refuse(r *http.Request, why, code string) error {
	s.figures.refused.Add(1)
	now := s.c.Now()
	if s.c.Allow != nil && !s.c.Allow(r.RemoteAddr, now) {
		return &scimError{status: http.StatusTooManyRequests, detail: "Too many requests from this address had no valid credential.", retryAfter: 60}
	}
	s.log.Warn("a provisioning request was refused", "why", why, "ip", web.ClientIP(r), "path", r.URL.Path)
	s.c.Audit(audit.Event{Time: now, Action: EventRefused, Outcome: audit.Denied, Resource: "provisioning", Reasons: []string{why}, IP: web.ClientIP(r)})
	return &scimError{status: http.StatusUnauthorized, detail: "Show a valid provisioning credential as a bearer token.", authenticate: code}
}

// token formats of what is issued here: see checkToken.
const (
	tokenPrefix   = "lanyard_scimt_"
	tokenLifetime = time.Hour
	maxToken      = 4096
)

// CreateCredential makes a credential and returns its secret, which is shown once and kept nowhere.
func (s *Service) CreateCredential(ctx context.Context, n NewCredential) (Credential, string, error) {
	return s.credentials.create(ctx, n)
}

// RevokeCredential ends a credential by its ID or its name; by is who does so, for the audit log.
func (s *Service) RevokeCredential(ctx context.Context, which, by string) (Credential, error) {
	return s.credentials.revoke(ctx, which, by)
}

// Credentials lists the credentials, and when they were used last, by their ID.
func (s *Service) Credentials() ([]Credential, map[string]Use) { return s.credentials.list() }
