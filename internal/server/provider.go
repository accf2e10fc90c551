package server

import (
	"context"

	"github.com/lanyardhq/lanyard/api"
)

// providerHealth looks how Lanyard stands with an OpenID provider that is not Entra.
func (s *Server) providerHealth(ctx context.Context, h *api.DirectoryHealth) {
	h.Provider = s.options.Tenant.Name()
	h.Registration = s.newRegistration()
	states, err := s.signin.Examine(ctx)
	works := false
	for _, c := range states {
		one := api.CredentialHealth{Kind: string(c.Kind), File: c.File, Works: !c.Worked.Before(h.At), Ends: c.Ends, Problem: c.Problem}
		works = works || one.Works
		h.Credentials = append(h.Credentials, one)
	}
	if !works && err != nil {
		h.Token = err.Error()
	}
}
