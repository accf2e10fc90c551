package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/doctor"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// Examine says how a configuration stands with its tenant while no server runs on it: what the directory, notifications
// and Lanyard's own addresses would say is not known then.
func Examine(ctx context.Context, file string) (api.DirectoryHealth, error) {
	c, err := config.Read(file)
	if err != nil {
		return api.DirectoryHealth{}, err
	}
	quiet := slog.New(slog.DiscardHandler)
	s := &Server{log: quiet, options: Options{
		URL: c.URL, Tenant: tenantOf(c), TokenURL: tokenURL(c), Graph: c.Entra.Graph, HTTP: tenantClient(), Members: c.Directory.Members, Users: c.Directory.Users,
		Sweep: c.Directory.Sweep,
	}}
	defer s.options.HTTP.CloseIdleConnections()
	s.signin = signin.New(signin.Config{Tenant: s.options.Tenant, URL: c.URL, HTTP: s.options.HTTP, Log: quiet})
	source, err := entra.New(entra.Config{
		Tenant: s.options.Tenant.ID, ClientID: s.options.Tenant.ClientID, Credential: s.options.Tenant.Credential, TokenURL: s.options.TokenURL,
		Graph: s.options.Graph, HTTP: s.options.HTTP, Sweep: s.options.Sweep, UsersOnly: s.options.Members == config.FromSCIM, Log: quiet,
	})
	if err != nil {
		return api.DirectoryHealth{}, err
	}
	h := s.newHealth(api.Directory{Members: s.members()})
	h.Stopped = true
	var looks sync.WaitGroup
	s.lookAtTenant(ctx, &looks, source, &h)
	looks.Wait()
	h.Redirects = s.redirects(ctx, h.Discovery.Authorize, h.Registration)
	doctor.Diagnose(&h)
	return h, nil
}

// newHealth is what is known before anything is asked.
func (s *Server) newHealth(d api.Directory) api.DirectoryHealth {
	return api.DirectoryHealth{
		At: time.Now().UTC(), URL: s.options.URL, Directory: d,
		Reads:       s.options.Tenant.OIDC == nil && s.options.Members != config.FromSignIn && s.options.Users != config.FromSCIM,
		Credentials: []api.CredentialHealth{}, Permissions: []api.PermissionHealth{}, Findings: []api.DirectoryFinding{}, Outside: []api.OutsideHealth{},
		Redirects: []api.RedirectHealth{}, SweepSeconds: s.options.Sweep.Seconds(), Provisioning: api.ProvisioningHealth{Findings: []api.ProvisioningFinding{}},
	}
}

// lookAtTenant asks the tenant, in goroutines of their own.
func (s *Server) lookAtTenant(ctx context.Context, looks *sync.WaitGroup, source *entra.Source, h *api.DirectoryHealth) {
	looks.Go(func() {
		h.Discovery = s.prober().Discovery(ctx, s.options.Tenant.Issuer, s.options.TokenURL)
	})
	looks.Go(func() {
		if s.options.Tenant.OIDC != nil {
			s.providerHealth(ctx, h)
			return
		}
		found := source.Examine(ctx, h.Reads)
		for _, c := range found.Credentials {
			h.Credentials = append(h.Credentials, api.CredentialHealth{
				Kind: string(c.Kind), File: c.File, Works: !c.Worked.Before(h.At), Ends: c.Ends, Problem: c.Problem,
			})
		}
		for _, p := range found.Permissions {
			h.Permissions = append(h.Permissions, api.PermissionHealth{Name: p.Name, For: p.For, Granted: p.Granted, Problem: p.Problem})
		}
		h.Registration = s.newRegistration()
		if found.Token != nil {
			h.Token = found.Token.Error()
			return
		}
		h.Registration = s.registrationHealth(ctx, source)
	})
}
