package server

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// signedInBefore reports whether a user has a sign-in that is older than a moment.
func (s *Server) signedInBefore(u identity.UserID, moment time.Time) bool {
	if moment.IsZero() {
		return false
	}
	for _, row := range s.sessions.Set().SignInsOf(u) {
		if row.Ended.IsZero() && row.Before(moment) {
			return true
		}
	}
	return false
}

// endedAtTenant ends the sign-ins that the tenant has ended: those before a moment. What was open because of them is
// closed already, since the directory says so.
func (s *Server) endedAtTenant(ctx context.Context, u identity.UserID, moment time.Time) {
	if !s.signedInBefore(u, moment) {
		return
	}
	why := "all sign-ins before " + moment.UTC().Format(time.RFC3339) + " were ended at the tenant"
	var events []audit.Event
	if s.leading() { // every replica ends them, one says so
		events = append(events, audit.Event{
			Time: time.Now(), Action: "signin:end", Outcome: audit.Done, User: audit.PersonOf(u, ""), Actor: "tenant", Reasons: []string{why},
		})
	}
	s.sessions.EndBefore(ctx, u, moment, why, events...)
}
