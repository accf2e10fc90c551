package dev

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
)

// openProvisioning gives the sample tenant its provisioning service, which does nothing until somebody enters a tenant
// URL on its page of the portal. It provisions who is assigned to the app that people sign in to; a real tenant needs a
// second enterprise application for that. Such ones, set up through Graph, have jobs of their own.
func (w *World) openProvisioning(ctx context.Context) error {
	s := provisioning.New(provisioning.Config{Source: w.Tenant, App: entrasim.LanyardAppID, HTTP: w.client, Log: w.options.Log})
	page, err := s.Page()
	if err != nil {
		return err
	}
	w.Tenant.AddPage("provisioning", page)
	ctx, w.stopProvisioning = context.WithCancel(ctx)
	w.parts.Go(func() { s.Run(ctx) })
	jobs := provisioning.NewJobs(provisioning.JobsConfig{Source: w.Tenant, HTTP: w.client, Log: w.options.Log})
	w.parts.Go(func() { jobs.Run(ctx) })
	return nil
}
