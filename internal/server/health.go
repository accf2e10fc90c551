package server

import (
	"context"
	"sync"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/doctor"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// health says how Lanyard stands with the tenant. What waits for others is asked side by side.
func (s *Server) health(ctx context.Context, d api.Directory) api.DirectoryHealth {
	source := s.graph.Load()
	h := s.newHealth(d)
	h.Leads, h.SweepSeconds = s.leading(), source.Sweep().Seconds()
	h.Roles, h.Provisioning, h.SignInLog = s.rolesHealth(), s.provisioningHealth(ctx), s.signInLogHealth(ctx)
	var looks sync.WaitGroup
	looks.Go(func() { h.Outside = s.outside(ctx, h.Reads) })
	s.lookAtTenant(ctx, &looks, source, &h)
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
