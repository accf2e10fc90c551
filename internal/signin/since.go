package signin

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// How far the tenant's clocks may be apart from one another and from ours, and how far it dates back a token's issue time.
const (
	clockSkew  = 30 * time.Second
	datingBack = 5 * time.Minute
)

// sinceEnding is when a person signed in, seen from the moment at which their sign-ins were ended at the tenant. The
// tenant has let them in although Lanyard knew of that moment already, so a time that is before it by no more than clocks
// differ is after it: the next sign-in works at once. Where the tenant does not say when the person signed in, the token's
// issue time stands for it, which is dated back.
func (s *Service) sinceEnding(u identity.UserID, at time.Time, exact bool) time.Time {
	row, ok := s.c.Facts().Directory.User(u)
	if !ok || row.SignInsFrom.IsZero() {
		return at
	}
	differ := clockSkew
	if !exact {
		differ += datingBack
	}
	if at.Before(row.SignInsFrom) && row.SignInsFrom.Sub(at) <= differ {
		return row.SignInsFrom
	}
	return at
}
