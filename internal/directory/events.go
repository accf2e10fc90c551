package directory

import (
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// EventChange is the audit action of a change that came from the tenant.
const EventChange = "directory:change"

const (
	namesAtMost = 50 // of members in one event; their number is always given
	actor       = "service:directory"
)

// events tells a change as one event per person whose record changed and per group whose record or membership
// changed. The first read of a directory, or of its groups after its users, is one event with numbers: nobody's access
// changed by it.
func events(old, new *Snapshot, c Change, reason string) []audit.Event {
	if c.empty() {
		return nil
	}
	t := teller{now: time.Now().UTC(), reasons: []string{reason}, old: old, new: new}
	if users, groups := old.Counts(); users+groups == 0 {
		users, groups = new.Counts()
		t.add(nil, "directory", map[string]any{"change": "first read", "users": users, "groups": groups, "memberships": len(c.Members)})
		return t.told
	}
	if _, groups := old.Counts(); groups == 0 && len(c.Groups) > namesAtMost {
		t.add(nil, "directory", map[string]any{"change": "first read", "groups": len(c.Groups), "memberships": len(c.Members)})
		c.Groups, c.Members = nil, nil
	}
	for _, u := range c.Users {
		t.person(u.ID, changeOfUser(old, u))
	}
	for _, b := range c.Blocks {
		if b.Removed {
			t.person(b.User, "no longer disabled by the provisioning service")
		} else {
			t.person(b.User, "disabled by the provisioning service")
		}
	}
	for _, id := range c.GoneUsers {
		t.person(id, "gone")
	}
	t.groups(c)
	return t.told
}

type teller struct {
	now      time.Time
	reasons  []string
	old, new *Snapshot
	told     []audit.Event
}

func (t *teller) add(p *audit.Person, resource string, detail map[string]any) {
	t.told = append(t.told, audit.Event{
		Time: t.now, Action: EventChange, Outcome: audit.Done, User: p, Actor: actor,
		Resource: resource, Reasons: t.reasons, Detail: detail,
	})
}

func (t *teller) person(id identity.UserID, change string) {
	t.add(audit.PersonOf(id, t.userName(id)), "user "+id.Object, map[string]any{"change": change})
}

func changeOfUser(s *Snapshot, u User) string {
	was, known := s.User(u.ID)
	switch {
	case !known && u.Enabled:
		return "added"
	case !known:
		return "added, disabled"
	case was.Enabled && !u.Enabled:
		return "disabled"
	case !was.Enabled && u.Enabled:
		return "enabled"
	case u.SignInsFrom.After(was.SignInsFrom):
		return "all sign-ins ended at the tenant"
	default:
		return "changed"
	}
}

// groupTale is what happened to one group.
type groupTale struct {
	change         string
	added, removed []string
}

func (t *teller) groups(c Change) {
	var order []identity.GroupID
	tales := map[identity.GroupID]*groupTale{}
	tale := func(g identity.GroupID) *groupTale {
		if tales[g] == nil {
			tales[g] = &groupTale{change: "members"}
			order = append(order, g)
		}
		return tales[g]
	}
	for _, g := range c.Groups {
		tale(g.ID).change = changeOfGroup(t.old, g)
	}
	for _, m := range c.Members {
		s := tale(m.Group)
		if name := t.memberName(m.Member); m.Removed {
			s.removed = append(s.removed, name)
		} else {
			s.added = append(s.added, name)
		}
	}
	for _, g := range c.GoneGroups {
		tale(g).change = "gone"
	}
	for _, g := range order {
		s := tales[g]
		detail := map[string]any{"change": s.change, "name": t.groupName(g)}
		names(detail, "added", s.added)
		names(detail, "removed", s.removed)
		t.add(nil, "group "+g.Object, detail)
	}
}

func changeOfGroup(s *Snapshot, g Group) string {
	was, known := s.Group(g.ID)
	switch {
	case !known:
		return "added"
	case was.Name != g.Name:
		return "renamed from " + was.Name
	case !was.Assigned && g.Assigned:
		return "assigned to Lanyard"
	case was.Assigned && !g.Assigned:
		return "no longer assigned to Lanyard"
	default:
		return "changed"
	}
}

func names(detail map[string]any, key string, list []string) {
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	detail[key] = list[:min(len(list), namesAtMost)]
	if len(list) > namesAtMost {
		detail[key+"_count"] = len(list)
	}
}

func (t *teller) memberName(m Member) string {
	if m.User.IsZero() {
		return "group " + t.groupName(m.Group)
	}
	return t.userName(m.User)
}

// userName is the name as it is now, or was last, or the ID.
func (t *teller) userName(id identity.UserID) string {
	for _, s := range []*Snapshot{t.new, t.old} {
		if u, ok := s.User(id); ok && u.Name != "" {
			return u.Name
		}
	}
	return id.String()
}

func (t *teller) groupName(id identity.GroupID) string {
	for _, s := range []*Snapshot{t.new, t.old} {
		if g, ok := s.Group(id); ok && g.Name != "" {
			return g.Name
		}
	}
	return id.String()
}
