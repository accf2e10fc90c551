package server

import (
	"context"
	"strings"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/token"
)

// refusalsAMinute bounds how many requests without a valid provisioning credential one address has written down in a
// minute; who has one is never held up by others.
const refusalsAMinute = 20

// makeProvisioning makes what the tenant's provisioning service reaches.
func (s *Server) makeProvisioning(ctx context.Context) error {
	o := s.options
	s.provision = provision.New(provision.Config{
		Rows: s.store, Tenant: o.Tenant.ID, URL: o.URL, Directory: s.directory, Leads: s.leading,
		Members: o.Members == config.FromSCIM, Users: o.Users == config.FromSCIM,
		Assertion: provision.Assertion{
			Issuer: o.Tenant.Issuer, Tenant: o.Tenant.ID, Audiences: o.SCIM.Audiences, Subjects: o.SCIM.Subjects,
			Keys: &token.Remote{URL: strings.TrimSuffix(o.Tenant.Issuer, "/v2.0") + "/discovery/v2.0/keys", Client: o.HTTP},
		},
		Sealer: s.sealer, Audit: s.audit.Later, Allow: (&perMinute{most: refusalsAMinute}).allow, Log: s.log,
	})
	return s.provision.Load(ctx)
}
