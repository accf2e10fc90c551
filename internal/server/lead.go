package server

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

const pruneEvery = 10 * time.Minute

// retention is how long rows are kept that no decision needs.
var retention = store.Retention{Feed: time.Hour, Ended: 24 * time.Hour, Revisions: 100}

// leadAll does what one replica does for all, until ctx ends: it reads the directory and the folders, and removes what
// is old. Each of its writes checks that it still leads.
func (s *Server) leadAll(ctx context.Context) {
	source := s.graph.Load()
	if s.led.Swap(true) { // what an earlier term remembers of the tenant may be old
		fresh, err := s.newSource()
		if err != nil { // it was made before from the same options
			s.log.Error("the directory cannot be read", "error", err)
			return
		}
		s.graph.Store(fresh)
		source = fresh
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	ready := source.Ready()
	switch {
	case s.signedIn != nil:
		ready = s.signedIn.Ready()
		parts.Go(func() { s.signedIn.Run(ctx) })
	case s.options.Users == config.FromSCIM:
		ready = s.provision.Ready()
	default:
		parts.Go(func() { _ = source.Run(ctx) })
	}
	parts.Go(func() { s.projects.lead(ctx, ready) })
	parts.Go(func() { s.provision.Run(ctx) })
	parts.Go(func() { s.prune(ctx) })
	parts.Go(func() { s.forgetLogins(ctx, ready) })
	parts.Go(func() { s.review(ctx) })
}

func (s *Server) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	rows := s.store.Fenced(s.replica.lead.Held)
	for {
		if n, err := rows.Prune(ctx, time.Now(), retention); err != nil && ctx.Err() == nil {
			s.log.Warn("what is old could not be removed; it is tried again", "error", err)
		} else if n > 0 {
			s.log.Debug("removed what is old", "rows", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// newSource makes what reads the tenant.
func (s *Server) newSource() (*entra.Source, error) {
	o := s.options
	return entra.New(s.atAnyReplica(entra.Config{
		Tenant: o.Tenant.ID, ClientID: o.Tenant.ClientID, Credential: o.Tenant.Credential, TokenURL: o.TokenURL, Graph: o.Graph,
		HTTP: o.HTTP, NotificationURL: o.Notifications, Pace: o.Pace, Sweep: o.Sweep, Directory: s.directory, UsersOnly: o.Members == config.FromSCIM, Watched: s.watched,
		Pages: s.store.Fenced(s.replica.lead.Held), Learned: o.Learned, Log: s.log,
	}))
}

// watched is who has a sign-in that lives.
func (s *Server) watched() []identity.UserID {
	now, found := time.Now(), map[identity.UserID]bool{}
	for row := range s.sessions.Set().All {
		if row.Ended.IsZero() && now.Before(row.Expires) {
			found[row.User] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

// readDirectory reads the directory's changes now, not at the next sweep.
func (s *Server) readDirectory() {
	if s.signedIn != nil || s.options.Users == config.FromSCIM { // the sign-in itself said it, or the provisioning service will
		return
	}
	if !s.leading() {
		s.passOn()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.graph.Load().Sync(ctx); err != nil {
		s.log.Warn("the directory could not be read for somebody who has just signed in", "error", err)
	}
}
