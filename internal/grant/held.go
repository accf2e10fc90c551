package grant

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Grant finds one of the user's grants; nil when there is none. h may be nil, as in all of these.
func (h *Held) Grant(id identity.GrantID) *Grant {
	if h == nil {
		return nil
	}
	for _, g := range h.grants {
		if g.ID == id {
			return g
		}
	}
	return nil
}

// Approval is the grant by which a member of the group has approved the action on the resource, the one that lasts
// longest; nil when nobody has.
func (h *Held) Approval(a identity.Action, r identity.Resource, by identity.GroupID, now time.Time) *Grant {
	if h == nil {
		return nil
	}
	var found *Grant
	for _, g := range h.grants {
		if g.Kind == Approval && g.Group == by && g.Live(now) && g.covers(a, r) && (found == nil || g.Until.After(found.Until)) {
			found = g
		}
	}
	return found
}

// Next is when the first of the grants begins or ends by itself; zero when none will.
func (h *Held) Next(now time.Time) (next time.Time) {
	if h == nil {
		return next
	}
	for _, g := range h.grants {
		for _, at := range [...]time.Time{g.From, g.Until} {
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}
