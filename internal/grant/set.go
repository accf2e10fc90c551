package grant

import (
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Set is an immutable view of all grants that have not ended.
type Set struct {
	byID   map[identity.GrantID]*Grant
	byUser map[identity.UserID]*Held
	ended  map[identity.GrantID]*Grant // lately, and before their time: only for who wants to know why
}

// Held is what one user holds. The pointer stays the same while none of the user's grants changes.
type Held struct{ grants []*Grant }

// NewSet returns the set of these grants.
func NewSet(grants []Grant) *Set { return (&Set{}).With(grants) }

// With returns the set with grants added or replaced; those that have ended are left out. The records become the set's.
func (s *Set) With(grants []Grant) *Set {
	next := &Set{byID: maps.Clone(s.byID), byUser: maps.Clone(s.byUser), ended: maps.Clone(s.ended)}
	if next.byID == nil {
		next.byID, next.byUser, next.ended = map[identity.GrantID]*Grant{}, map[identity.UserID]*Held{}, map[identity.GrantID]*Grant{}
	}
	for i := range grants {
		g := &grants[i]
		kept := []*Grant{}
		if held := next.byUser[g.User]; held != nil {
			kept = slices.DeleteFunc(slices.Clone(held.grants), func(old *Grant) bool { return old.ID == g.ID })
		}
		delete(next.byID, g.ID)
		if g.Ended.IsZero() {
			kept = append(kept, g)
			next.byID[g.ID] = g
		} else {
			next.ended[g.ID] = g
		}
		if len(kept) == 0 {
			delete(next.byUser, g.User)
			continue
		}
		next.byUser[g.User] = &Held{kept}
	}
	return next
}

// Of is what a user holds; nil when nothing, or when s is nil.
func (s *Set) Of(u identity.UserID) *Held {
	if s == nil {
		return nil
	}
	return s.byUser[u]
}

// Grant finds a grant that has not been ended.
func (s *Set) Grant(id identity.GrantID) (*Grant, bool) {
	g, ok := s.byID[id]
	return g, ok
}

// Ended finds a grant that somebody has ended, for as long as it could have lasted.
func (s *Set) Ended(id identity.GrantID) (*Grant, bool) {
	if s == nil {
		return nil, false
	}
	g, ok := s.ended[id]
	return g, ok
}

// All lists what the user holds, the oldest first; h may be nil.
func (h *Held) All() []*Grant {
	if h == nil {
		return nil
	}
	return slices.Clone(h.grants)
}

// Approved reports whether a member of the group has approved the action on the resource, and until when.
func (h *Held) Approved(a identity.Action, r identity.Resource, by identity.GroupID, now time.Time) (until time.Time, ok bool) {
	if h == nil {
		return until, false
	}
	for _, g := range h.grants {
		if g.Kind != Approval || g.Group != by || !g.Live(now) || !g.covers(a, r) {
			continue
		}
		if g.Until.After(until) {
			until = g.Until
		}
		ok = true
	}
	return until, ok
}

// Role is the strongest role that a break-glass grant gives in a project, with that grant; nil when none does.
func (h *Held) Role(p identity.ProjectID, now time.Time) (policy.Role, *Grant) {
	role, from := policy.NoRole, (*Grant)(nil)
	if h == nil {
		return role, nil
	}
	for _, g := range h.grants {
		if g.Kind == BreakGlass && g.Project == p && g.Live(now) && !role.Includes(g.Role) {
			role, from = g.Role, g
		}
	}
	return role, from
}

// Delegated reports whether a delegation covers the action on the resource.
func (g *Grant) Delegated(a identity.Action, r identity.Resource, now time.Time) bool {
	return g.Kind == Delegation && g.Live(now) && g.covers(a, r)
}

func (g *Grant) covers(a identity.Action, r identity.Resource) bool {
	return slices.ContainsFunc(g.Allowed, func(one Allowed) bool { return one.Covers(a, r) })
}

// without returns the set without the grants whose time is over.
func (s *Set) without(now time.Time) *Set {
	var over []Grant
	for _, g := range s.byID {
		if !now.Before(g.Until) {
			gone := *g
			gone.Ended = now
			over = append(over, gone)
		}
	}
	for _, g := range s.ended {
		if !now.Before(g.Until) {
			over = append(over, *g)
		}
	}
	if len(over) == 0 {
		return s
	}
	next := s.With(over)
	for _, g := range over {
		delete(next.ended, g.ID)
	}
	return next
}

// Every lists all grants that have not been ended, in no order.
func (s *Set) Every() []*Grant {
	if s == nil {
		return nil
	}
	return slices.Collect(maps.Values(s.byID))
}
