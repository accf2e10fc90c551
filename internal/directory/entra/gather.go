package entra

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// gathering turns delta pages into one change. A user or group may occur several times, a group on several pages
// with other members each time, and what was said may be said again: the last word counts.
type gathering struct {
	tenant   identity.TenantID
	base     *directory.Snapshot // what partial records complete; empty for a whole read
	assigned map[string]bool     // groups assigned to our application; nil: not known, as it was
	reset    bool                // a whole read
	hidden   map[string]bool     // soft-deleted before: seen again, they were restored

	users      map[string]directory.User
	groups     map[string]directory.Group
	goneUsers  map[string]bool
	goneGroups map[string]bool
	removed    map[directory.Membership]bool // membership → whether it was taken
	items      int                           // records seen
	restored   bool                          // something came back whose memberships Graph does not say again
}

func newGathering(tenant identity.TenantID, base *directory.Snapshot, assigned, hidden map[string]bool) *gathering {
	return &gathering{
		tenant: tenant, base: base, assigned: assigned, hidden: hidden,
		users: map[string]directory.User{}, groups: map[string]directory.Group{},
		goneUsers: map[string]bool{}, goneGroups: map[string]bool{}, removed: map[directory.Membership]bool{},
	}
}

func (g *gathering) userID(object string) identity.UserID {
	return identity.UserID{Tenant: g.tenant, Object: strings.ToLower(object)}
}

func (g *gathering) groupID(object string) identity.GroupID {
	return identity.GroupID{Tenant: g.tenant, Object: strings.ToLower(object)}
}

// add takes one item of a users or groups delta.
func (g *gathering) add(k kind, it deltaItem) {
	if it.ID = strings.ToLower(it.ID); it.ID == "" {
		return
	}
	g.items++
	if k == users {
		g.user(it)
	} else {
		g.group(it)
	}
}

func (g *gathering) user(it deltaItem) {
	u, known := g.users[it.ID]
	if old, there := g.base.User(g.userID(it.ID)); !known && there && !g.goneUsers[it.ID] {
		u, known = *old, true
	}
	if it.Removed != nil {
		// Who can be restored stays, disabled, with the memberships that Graph may not say again.
		if it.Removed.Reason == "changed" && known && !g.reset {
			u.Enabled = false
			g.users[it.ID] = u
			g.hidden[it.ID] = true
			return
		}
		delete(g.users, it.ID)
		g.goneUsers[it.ID] = true
		return
	}
	g.returned(it.ID, g.goneUsers)
	u.ID = g.userID(it.ID)
	it.DisplayName.into(&u.Name)
	it.UserPrincipalName.into(&u.UserName)
	it.Mail.into(&u.Mail)
	it.AccountEnabled.into(&u.Enabled)
	g.users[it.ID] = u
}

// returned notes that what was deleted is there again. Then everything is read again, because its memberships need
// not be said another time.
func (g *gathering) returned(id string, gone map[string]bool) {
	if gone[id] || g.hidden[id] {
		delete(gone, id)
		delete(g.hidden, id)
		g.restored = g.restored || !g.reset
	}
}

func (g *gathering) group(it deltaItem) {
	if it.Removed != nil {
		delete(g.groups, it.ID)
		g.goneGroups[it.ID] = true
		if it.Removed.Reason == "changed" {
			g.hidden[it.ID] = true
		}
		return // its memberships go with it, or, when it turns out to be there after all, stay
	}
	group, known := g.groups[it.ID]
	if old, there := g.base.Group(g.groupID(it.ID)); !known && there && !g.goneGroups[it.ID] {
		group = *old
	}
	g.returned(it.ID, g.goneGroups)
	group.ID = g.groupID(it.ID)
	it.DisplayName.into(&group.Name)
	it.SecurityEnabled.into(&group.Security)
	g.groups[it.ID] = group
	for _, m := range it.Members {
		g.member(group.ID, m)
	}
}

// member takes one line of members@delta. Devices, contacts and service principals are not of interest.
func (g *gathering) member(in identity.GroupID, m memberItem) {
	user := directory.Membership{Group: in, Member: directory.Member{User: g.userID(m.ID)}}
	group := directory.Membership{Group: in, Member: directory.Member{Group: g.groupID(m.ID)}}
	switch strings.ToLower(m.Type) {
	case "#microsoft.graph.user":
		g.removed[user] = m.Removed != nil
	case "#microsoft.graph.group":
		g.removed[group] = m.Removed != nil
	case "":
		switch {
		case m.Removed != nil: // of whichever kind it was
			g.removed[user], g.removed[group] = true, true
		case g.isGroup(m.ID):
			g.removed[group] = false
		default:
			g.removed[user] = false
		}
	}
}

// names reports that a user or group was said to be there.
func (g *gathering) names(id string) bool {
	_, user := g.users[id]
	_, group := g.groups[id]
	return user || group
}

func (g *gathering) isGroup(object string) bool {
	id := g.groupID(object)
	if _, there := g.groups[id.Object]; there {
		return true
	}
	_, there := g.base.Group(id)
	return there
}

// assign marks the groups of the base whose assignment is not as it was.
func (g *gathering) assign() {
	for old := range g.base.AllGroups() {
		_, said := g.groups[old.ID.Object]
		if !said && !g.goneGroups[old.ID.Object] && old.ID.Tenant == g.tenant && old.Assigned != g.assigned[old.ID.Object] {
			g.groups[old.ID.Object] = *old
		}
	}
}

// change is what was gathered.
func (g *gathering) change() directory.Change {
	c := directory.Change{Users: slices.Collect(maps.Values(g.users))}
	if g.reset {
		c.Reset = directory.UserPart | directory.GroupPart
	}
	for id, group := range g.groups {
		if g.assigned != nil {
			group.Assigned = g.assigned[id]
		}
		c.Groups = append(c.Groups, group)
	}
	for id := range g.goneUsers {
		c.GoneUsers = append(c.GoneUsers, g.userID(id))
	}
	for id := range g.goneGroups {
		c.GoneGroups = append(c.GoneGroups, g.groupID(id))
	}
	for m, removed := range g.removed {
		m.Removed = removed
		c.Members = append(c.Members, m)
	}
	return c
}
