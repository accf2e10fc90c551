package entra

import (
	"context"
	"maps"
	"slices"
	"strings"
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
	w.readAt = w.began
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
		w.restored = s.before(&c) || w.restored // stays known if the change cannot be applied
	}
	c.Reset = w.kind.part()
	c.Cursors = map[string]string{
		s.cursor(w.kind.String()):                 w.link,
		s.cursor(w.kind.String() + "/selected"):   w.selected,
		s.cursor(w.kind.String() + "/read whole"): w.began.UTC().Format(time.RFC3339Nano),
		s.cursor(binnedCursor):                    binnedList(s.hidden),
	}
	if w.restored {
		s.mustReadGroups(&c)
	}
	s.readAt[w.kind] = asked
	c.AsOf = s.asOf()
	s.learned(time.Now())
	if err := s.apply(ctx, c, reasonWhole, wholeWait); err != nil {
		return err
	}
	s.need &^= w.kind.only()
	s.lost &^= w.kind.only()
	s.restart[w.kind] = ""
	if w.kind == groups && s.returnedAt().After(w.began) {
		s.mustReadWhole(groups, "") // what came back meanwhile may be on none of its pages
	}
	s.markReady()
	return nil
}

// before compares all users with those of before: the moment from which sign-ins count only moves on, who is not there
// any more may be in the bin. back says that somebody came out of it.
func (s *Source) before(c *directory.Change) (back bool) {
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
		is := there[identity.UserID{Tenant: s.tenant, Object: id}]
		back = back || is
		return is
	})
	return back
}

// The names of cursors besides those of the kinds: what is needed for going on after a restart.
const (
	binnedCursor   = "binned"          // object IDs of what was seen soft-deleted
	returnedCursor = "groups/returned" // when something came out of the bin
)

func binnedList(ids map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(ids)), " ") }

func binnedIn(list string) map[string]bool {
	ids := map[string]bool{}
	for id := range strings.FieldsSeq(list) {
		ids[id] = true
	}
	return ids
}

// wholeAt is when the last reading of everything of a kind began; zero when there was none.
func (s *Source) wholeAt(k kind) time.Time { return s.moment(k.String() + "/read whole") }

// returnedAt is when something came out of the bin last, whose memberships Graph need not say again.
func (s *Source) returnedAt() time.Time { return s.moment(returnedCursor) }

func (s *Source) moment(cursor string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, s.directory.Cursors()[s.cursor(cursor)])
	return at
}

// mustReadGroups notes, also with the change that tells of it, that something came out of the bin: a reading of all groups
// that began before does not do; reading is held.
func (s *Source) mustReadGroups(c *directory.Change) {
	if !s.kinds.has(groups) {
		return
	}
	c.Cursors[s.cursor(returnedCursor)] = time.Now().UTC().Format(time.RFC3339Nano)
	s.mustReadWhole(groups, "")
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
