package session

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Row finds a session without the sign-in above it; nil when it is not known. The pointer stays the same while the row
// does.
func (s *Set) Row(id identity.SessionID) *Session { return s.sessions[id] }

// Before reports whether the person signed in before a moment. The tenant gives its moments in whole seconds in one place
// and finer in the other, so only a second that is over counts.
func (i SignIn) Before(moment time.Time) bool { return i.At.Before(moment.Truncate(time.Second)) }
