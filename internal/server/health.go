package server

import (
	"context"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/doctor"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// health says how Lanyard stands with the tenant. What waits for others is asked side by side.
func (s *Server) health(ctx context.Context, d api.Directory) api.DirectoryHealth {
	source := s.graph.Load()
	asked := time.Now()
	reads := s.signedIn == nil && s.options.Users != config.FromSCIM
	h := api.DirectoryHealth{
		At: asked.UTC(), URL: s.options.URL, Reads: reads, Leads: s.leading(), Directory: d,
		Credentials: []api.CredentialHealth{}, Permissions: []api.PermissionHealth{}, Findings: []api.DirectoryFinding{},
		SweepSeconds: source.Sweep().Seconds(), Roles: s.rolesHealth(), Provisioning: s.provisioningHealth(ctx),
	}
	var looks sync.WaitGroup
	looks.Go(func() { h.Outside = s.outside(ctx) })
	looks.Go(func() {
		h.Discovery = s.prober().Discovery(ctx, s.options.Tenant.Issuer, s.options.TokenURL)
	})
	looks.Go(func() {
		if s.options.Tenant.OIDC != nil {
			s.providerHealth(ctx, &h)
			return
		}
		found := source.Examine(ctx, reads)
		for _, c := range found.Credentials {
			h.Credentials = append(h.Credentials, api.CredentialHealth{
				Kind: string(c.Kind), File: c.File, Works: !c.Worked.Before(asked), Ends: c.Ends, Problem: c.Problem,
			})
		}
		for _, p := range found.Permissions {
			h.Permissions = append(h.Permissions, api.PermissionHealth{Name: p.Name, For: p.For, Granted: p.Granted, Problem: p.Problem})
		}
		h.Registration = api.RegistrationHealth{ClientID: s.options.Tenant.ClientID}
		if found.Token != nil {
			h.Token = found.Token.Error()
			return
		}
		h.Registration = s.registrationHealth(ctx, source)
	})
	looks.Wait()
	h.Redirects = s.redirects(ctx, h.Discovery.Authorize, h.Registration)
	state := source.State()
	h.Reading, h.Notifications, h.SkewSeconds = readingHealth(state), notificationHealth(source.Door()), state.Skew.Seconds()
	doctor.Diagnose(&h)
	return h
}

func readingHealth(state entra.State) api.ReadingHealth {
	r := api.ReadingHealth{
		Read: state.Read, Problem: state.Problem, FailingSince: state.Failing, Requests: state.Requests, Throttled: state.Throttled,
		Failed: state.Failed, QuietUntil: state.Quiet, Resyncs: state.Resyncs, Whole: []api.ReadingPart{}, Refused: []string{},
	}
	for _, p := range state.Reading {
		r.Whole = append(r.Whole, api.ReadingPart{Of: p.Of, Pages: p.Pages, Objects: p.Objects, Resumed: p.Resumed, Since: p.Since})
	}
	for _, refused := range []string{state.Roles, state.SignIns} {
		if refused != "" {
			r.Refused = append(r.Refused, refused)
		}
	}
	return r
}

func notificationHealth(door entra.Door) api.NotificationHealth {
	n := api.NotificationHealth{
		URL: door.URL, Subscriptions: []api.SubscriptionHealth{}, Last: door.Last, Genuine: door.Rang, Strange: door.Strange, Held: door.Held,
	}
	for _, x := range door.Subscriptions {
		n.Subscriptions = append(n.Subscriptions, api.SubscriptionHealth{Of: x.Of, Ends: x.Ends, Problem: x.Problem})
	}
	return n
}

// rolesHealth counts who holds the roles of the whole installation.
func (s *Server) rolesHealth() api.RolesHealth {
	f := s.engine.Facts()
	r := api.RolesHealth{Void: len(f.Projects.Findings())}
	for u := range f.Directory.Users() {
		if !u.Active() {
			continue
		}
		holds := func(g identity.GroupID) bool { return f.Directory.InGroup(u.ID, g) }
		if f.Projects.Global(policy.Admin, holds) {
			r.Admins++
		}
		if f.Projects.Global(policy.Auditor, holds) {
			r.Auditors++
		}
	}
	return r
}

func (s *Server) provisioningHealth(ctx context.Context) api.ProvisioningHealth {
	p := api.ProvisioningHealth{Findings: []api.ProvisioningFinding{}}
	st, err := s.provision.Status(ctx)
	if err != nil {
		p.Problem = err.Error()
		return p
	}
	list, _ := s.provision.Credentials()
	p.Used, p.LastUse = len(list) > 0 || st.Federated || st.Counts.Users+st.Counts.Groups > 0, st.LastUse
	p.Users, p.Groups, p.StrayUsers, p.StrayGroups = st.Counts.Users, st.Counts.Groups, st.Counts.Stray, st.Counts.StrayGroups
	for _, f := range st.Findings {
		p.Findings = append(p.Findings, api.ProvisioningFinding{Problem: f.Problem, Text: f.Text})
	}
	return p
}
