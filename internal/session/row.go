package session

import "github.com/lanyardhq/lanyard/internal/identity"

// Row finds a session without the sign-in above it; nil when it is not known. The pointer stays the same while the row
// does.
func (s *Set) Row(id identity.SessionID) *Session { return s.sessions[id] }
