package entra

import (
	"context"
	"maps"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// part is what a reading of everything of a kind replaces.
func (k kind) part() directory.Part {
	if k == users {
		return directory.UserPart
	}
	return directory.GroupPart
}

// swap makes a whole read the directory's users or groups, in one step; reading is held. What changed while the pages
// were read is read first, or the swap would undo what the deltas brought meanwhile.
func (s *Source) swap(ctx context.Context, w *wholeRead) error {
	asked := time.Now()
	next, _, err := s.follow(ctx, w.kind, w.link, w.gathering)
	if err != nil {
		return err
	}
	w.link = next
	var c directory.Change
	if w.kind == groups {
		assigned, err := s.readAssignments(ctx)
		if err != nil {
			return err
		}
		s.assigned, w.assigned = assigned.groups, assigned.groups
		c = w.change()
		assigned.addTo(&c)
		maps.DeleteFunc(s.hidden, func(id string, _ bool) bool { return w.named(id) })
	} else {
		c = w.change()
		s.before(&c)
	}
	c.Reset = w.kind.part()
	c.Cursors = map[string]string{
		s.cursor(w.kind.String()):                 w.link,
		s.cursor(w.kind.String() + "/selected"):   w.selected,
		s.cursor(w.kind.String() + "/read whole"): time.Now().UTC().Format(time.RFC3339Nano),
	}
	s.readAt[w.kind] = asked
	c.AsOf = s.asOf()
	s.learned(time.Now())
	if err := s.apply(ctx, c, reasonWhole, wholeWait); err != nil {
		return err
	}
	s.need &^= w.kind.only()
	s.restart[w.kind] = ""
	s.markReady()
	return nil
}

// before compares all users with those of before: the moment from which sign-ins count only moves on, who is not there
// any more may be in the bin, and for who came out of it the groups must be read.
func (s *Source) before(c *directory.Change) {
	old := s.directory.Snapshot()
	there := make(map[identity.UserID]bool, len(c.Users))
	for i := range c.Users {
		u := &c.Users[i]
		there[u.ID] = true
		if known, ok := old.User(u.ID); ok && known.SignInsFrom.After(u.SignInsFrom) {
			u.SignInsFrom = known.SignInsFrom
		}
	}
	for u := range old.Users() {
		if u.ID.Tenant == s.tenant && !there[u.ID] {
			s.hidden[u.ID.Object] = true
		}
	}
	maps.DeleteFunc(s.hidden, func(id string, _ bool) bool {
		back := there[identity.UserID{Tenant: s.tenant, Object: id}]
		if back {
			s.mustReadWhole(groups, "")
		}
		return back
	})
}

// wholeAt is when everything of a kind was read last; zero when it never was.
func (s *Source) wholeAt(k kind) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, s.directory.Cursors()[s.cursor(k.String()+"/read whole")])
	return at
}

// mustReadWhole notes that everything of a kind must be read, from a link if there is one; reading is held.
func (s *Source) mustReadWhole(k kind, from string) {
	if !s.kinds.has(k) {
		return
	}
	if from != "" {
		s.restart[k] = from
	}
	if !s.need.has(k) {
		s.need |= k.only()
		select {
		case s.needs <- struct{}{}:
		default:
		}
	}
}
