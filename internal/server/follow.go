package server

import (
	"context"
	"errors"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// apply takes over what another replica changed.
func (s *Server) apply(ctx context.Context, e feed.Entry) error {
	switch e.Topic {
	case feed.Directory:
		return s.directory.Follow(ctx, e)
	case feed.Sessions:
		return s.sessions.Follow(ctx, e)
	case feed.Grants:
		return s.grants.Follow(ctx, e)
	case feed.Projects:
		return s.projects.reload(ctx)
	case feed.Workspace:
		return s.workspaces.Apply(ctx, e)
	case feed.Keys:
		return s.keys.Reload(ctx)
	case feed.Provisioning:
		return s.provision.Follow(ctx, e)
	case feed.Ring:
		s.rung(e)
	case feed.Tokens:
		return s.issuer.Revoked(ctx)
	case feed.Leases:
		for _, id := range e.Keys {
			s.engine.Revoke(identity.LeaseID(id), access.Reason{Code: access.Revoked, Text: "it was revoked"})
		}
	}
	return nil
}

// reload reads everything again, because entries were missed. The number comes first: what changes meanwhile is
// followed after.
func (s *Server) reload(ctx context.Context) (feed.Seq, error) {
	head, err := s.store.FeedHead(ctx)
	if err != nil {
		return 0, err
	}
	return head, errors.Join(
		s.sessions.Load(ctx),
		s.directory.Follow(ctx, feed.Entry{Topic: feed.Directory}),
		s.grants.Load(ctx),
		s.projects.reload(ctx),
		s.workspaces.Reload(ctx),
		s.keys.Reload(ctx),
		s.provision.Follow(ctx, feed.Entry{Topic: feed.Provisioning}),
		s.issuer.Revoked(ctx),
	)
}

// revokeElsewhere tells the other replicas to close a lease; nil where there are none.
func (s *Server) revokeElsewhere() func(context.Context, identity.LeaseID, audit.Event) error {
	if !s.shared() {
		return nil
	}
	return func(ctx context.Context, id identity.LeaseID, by audit.Event) error {
		_, err := s.store.Announce(ctx, feed.Entry{Topic: feed.Leases, Keys: []string{string(id)}}, by)
		return err
	}
}
