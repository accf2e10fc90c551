// Package session keeps sign-ins and the sessions below them: rows, an immutable set of them that decisions read, who
// begins and ends them, and the one door through which Lanyard learns who asks.
package session

import (
	"maps"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Set is an immutable view of all sign-ins and sessions. Last use is not in it: it is not a fact.
type Set struct {
	signIns  map[identity.SignInID]*SignIn
	sessions map[identity.SessionID]*Session
	bySecret map[[32]byte]identity.SessionID
	byUser   map[identity.UserID][]identity.SignInID
	below    map[identity.SignInID][]identity.SessionID
}

// NewSet returns the set of these rows.
func NewSet(signIns []SignIn, sessions []Session) *Set {
	return (&Set{}).With(signIns, sessions)
}

// With returns the set with rows added or replaced. The records become the set's own.
func (s *Set) With(signIns []SignIn, sessions []Session) *Set {
	next := &Set{
		signIns:  cloned(s.signIns),
		sessions: cloned(s.sessions),
		bySecret: s.bySecret,
		byUser:   s.byUser,
		below:    s.below,
	}
	var byUser, bySecret, below bool // each index is copied once, when its first change comes
	for i := range signIns {
		row := &signIns[i]
		if _, known := next.signIns[row.ID]; !known {
			if !byUser {
				next.byUser, byUser = cloned(s.byUser), true
			}
			next.byUser[row.User] = appended(next.byUser[row.User], row.ID)
		}
		next.signIns[row.ID] = row
	}
	for i := range sessions {
		row := &sessions[i]
		old, known := next.sessions[row.ID]
		if !known || old.SignIn != row.SignIn { // new, or adopted by a later sign-in
			if !below {
				next.below, below = cloned(s.below), true
			}
			if known {
				next.below[old.SignIn] = without(next.below[old.SignIn], row.ID)
			}
			next.below[row.SignIn] = appended(next.below[row.SignIn], row.ID)
		}
		if !known && row.Secret != [32]byte{} {
			if !bySecret {
				next.bySecret, bySecret = cloned(s.bySecret), true
			}
			next.bySecret[row.Secret] = row.ID
		}
		next.sessions[row.ID] = row
	}
	return next
}

// Without returns the set with what ended or expired before a moment left out, so that it does not grow for ever. A
// workspace's session stays, with its sign-in, until it is ended: its owner's next sign-in adopts it.
func (s *Set) Without(before time.Time) *Set {
	var signIns []SignIn
	var sessions []Session
	past := func(at time.Time) bool { return !at.IsZero() && at.Before(before) }
	kept := map[identity.SignInID]bool{}
	for id, row := range s.signIns {
		kept[id] = !past(row.Ended) && !past(row.Expires)
	}
	for _, row := range s.sessions {
		signIn, ok := s.signIns[row.SignIn]
		if !ok || past(row.Ended) || past(row.Expires) {
			continue
		}
		if row.Kind == Workspace && row.Ended.IsZero() {
			kept[row.SignIn] = true
		} else if past(signIn.Ended) || past(signIn.Expires) {
			continue
		}
		sessions = append(sessions, *row)
	}
	for id, row := range s.signIns {
		if kept[id] {
			signIns = append(signIns, *row)
		}
	}
	return NewSet(signIns, sessions)
}

// Session finds a session and the sign-in it hangs below.
func (s *Set) Session(id identity.SessionID) (*Session, *SignIn, bool) {
	row, ok := s.sessions[id]
	if !ok {
		return nil, nil, false
	}
	signIn, ok := s.signIns[row.SignIn]
	return row, signIn, ok
}

// SignIn finds a sign-in.
func (s *Set) SignIn(id identity.SignInID) (*SignIn, bool) {
	row, ok := s.signIns[id]
	return row, ok
}

// BySecret finds the session whose cookie hashes to secret.
func (s *Set) BySecret(secret [32]byte) (*Session, bool) {
	id, ok := s.bySecret[secret]
	if !ok {
		return nil, false
	}
	return s.sessions[id], true
}

// SignInsOf lists a user's sign-ins, oldest first, ended ones too.
func (s *Set) SignInsOf(u identity.UserID) []*SignIn {
	var list []*SignIn
	for _, id := range s.byUser[u] {
		list = append(list, s.signIns[id])
	}
	return list
}

// Below lists the sessions of a sign-in, ended ones too.
func (s *Set) Below(id identity.SignInID) []*Session {
	var list []*Session
	for _, sid := range s.below[id] {
		list = append(list, s.sessions[sid])
	}
	return list
}

// All calls yield for every sign-in, in no order, until it returns false.
func (s *Set) All(yield func(*SignIn) bool) {
	for _, row := range s.signIns {
		if !yield(row) {
			return
		}
	}
}

// Live says whether a session may be used at a moment, and if not, why, as a clause for a person.
func (s *Set) Live(id identity.SessionID, now time.Time) (*Session, *SignIn, string) {
	row, signIn, ok := s.Session(id)
	switch {
	case !ok:
		return nil, nil, "this session is not known here any more"
	case !signIn.Ended.IsZero():
		return row, signIn, signIn.EndedWhy
	case !row.Ended.IsZero():
		return row, signIn, row.EndedWhy
	case !now.Before(signIn.Expires):
		return row, signIn, "the sign-in is older than allowed"
	case !row.Expires.IsZero() && !now.Before(row.Expires):
		return row, signIn, "the session is older than allowed"
	case row.Parent != "":
		if parent, _, ok := s.Session(row.Parent); !ok || !parent.Ended.IsZero() {
			if row.Kind == Agent {
				return row, signIn, "the workspace's session that it was started in has ended"
			}
			return row, signIn, "the browser session it came from has ended"
		}
	}
	return row, signIn, ""
}

// Called is the kind of a session as policies name it.
func (row *Session) Called() string {
	if row.Kind == Client && row.Client == CLI {
		return "cli"
	}
	return string(row.Kind)
}

// Until is when a live session ends by itself.
func Until(row *Session, signIn *SignIn) time.Time {
	if !row.Expires.IsZero() && row.Expires.Before(signIn.Expires) {
		return row.Expires
	}
	return signIn.Expires
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// appended never writes into an array that an older set still reads.
func appended[T any](list []T, v T) []T {
	return append(list[:len(list):len(list)], v)
}

func without[T comparable](list []T, v T) []T {
	kept := make([]T, 0, len(list))
	for _, x := range list {
		if x != v {
			kept = append(kept, x)
		}
	}
	return kept
}
