package entra

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// gathering turns delta pages into one change. A user or group may occur several times, a group on several pages
// with other members each time, and what was said may be said again: the last word counts.
type gathering struct {
	tenant   identity.TenantID
	base     *directory.Snapshot // what partial records complete; empty for a whole read
	assigned map[string]bool     // groups assigned to our application; nil: not known, as it was
	whole    bool                // a whole read
	readAt   time.Time           // when the kind was read whole; what is older and not known was in the bin then
	hidden   map[string]bool     // soft-deleted before: seen again, they were restored
	names    *names

	users      map[string]directory.User
	groups     map[string]directory.Group
	goneUsers  map[string]bool
	goneGroups map[string]bool
	members    map[string]map[memberID]bool // by group; whether the member was taken
	items      int                          // records seen
	restored   bool                         // something came back whose memberships Graph does not say again
}

// memberID is a member as one group has it.
type memberID struct {
	object string
	group  bool
}

// names keeps one copy of each object ID, which a group's members and a user's record then share.
type names struct {
	mu   sync.Mutex
	kept map[string]string
}

func newNames() *names { return &names{kept: map[string]string{}} }

func (n *names) one(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if kept, ok := n.kept[id]; ok {
		return kept
	}
	n.kept[id] = id
	return id
}

func newGathering(tenant identity.TenantID, base *directory.Snapshot, assigned, hidden map[string]bool) *gathering {
	return &gathering{
		tenant: tenant, base: base, assigned: assigned, hidden: hidden, names: newNames(),
		users: map[string]directory.User{}, groups: map[string]directory.Group{},
		goneUsers: map[string]bool{}, goneGroups: map[string]bool{}, members: map[string]map[memberID]bool{},
	}
}

func (g *gathering) userID(object string) identity.UserID {
	return identity.UserID{Tenant: g.tenant, Object: object}
}

func (g *gathering) groupID(object string) identity.GroupID {
	return identity.GroupID{Tenant: g.tenant, Object: object}
}

// page takes all items of a page.
func (g *gathering) page(k kind, items []deltaItem) {
	for i := range items {
		g.add(k, &items[i])
	}
}

// add takes one item of a users or groups delta.
func (g *gathering) add(k kind, it *deltaItem) {
	if it.ID == "" {
		return
	}
	it.ID = g.names.one(it.ID)
	g.items++
	if k == users {
		g.user(it)
	} else {
		g.group(it)
	}
}

func (g *gathering) user(it *deltaItem) {
	u, known := g.users[it.ID]
	if old, there := g.base.User(g.userID(it.ID)); !known && there && !g.goneUsers[it.ID] {
		u, known = *old, true
	}
	if it.Removed != present {
		// Who can be restored stays, disabled, with the memberships that Graph may not say again.
		if it.Removed == binned && known && !g.whole {
			u.Enabled = false
			g.users[it.ID] = u
			g.hidden[it.ID] = true
			return
		}
		delete(g.users, it.ID)
		g.goneUsers[it.ID] = true
		if it.Removed == deleted { // for good
			delete(g.hidden, it.ID)
		}
		return
	}
	g.returned(it, known, g.goneUsers)
	u.ID = g.userID(it.ID)
	it.DisplayName.into(&u.Name)
	it.UserPrincipalName.into(&u.UserName)
	it.Mail.into(&u.Mail)
	it.AccountEnabled.into(&u.Enabled)
	// The moment only moves on: what says otherwise is an earlier state, said again.
	if it.SignInsFrom.set && it.SignInsFrom.value.After(u.SignInsFrom) {
		u.SignInsFrom = it.SignInsFrom.value
	}
	g.users[it.ID] = u
}

// returned notes that what was deleted is there again. Then everything is read again, because its memberships need
// not be said another time. What was in the bin already when everything was read comes as something new that is old.
func (g *gathering) returned(it *deltaItem, known bool, gone map[string]bool) {
	old := !known && it.Created.set && it.Created.value.Before(g.readAt)
	if old || gone[it.ID] || g.hidden[it.ID] {
		delete(gone, it.ID)
		delete(g.hidden, it.ID)
		g.restored = true
	}
}

// security reports whether a group gives rights by its name. A Microsoft 365 group never does, though it may be a security
// group too: its members can rename it. Where Graph leaves out what kind of group it is, one that is known gains nothing.
func security(was directory.Group, known bool, it *deltaItem) bool {
	now := was.Security
	it.SecurityEnabled.into(&now)
	if it.Unified.set {
		return now && !it.Unified.value
	}
	return now && (!known || was.Security)
}

func (g *gathering) group(it *deltaItem) {
	if it.Removed != present {
		delete(g.groups, it.ID)
		g.goneGroups[it.ID] = true
		if it.Removed == binned {
			g.hidden[it.ID] = true
		} else { // for good
			delete(g.hidden, it.ID)
		}
		return // its memberships go with it, or, when it turns out to be there after all, stay
	}
	group, known := g.groups[it.ID]
	if old, there := g.base.Group(g.groupID(it.ID)); !known && there && !g.goneGroups[it.ID] {
		group, known = *old, true
	}
	g.returned(it, known, g.goneGroups)
	group.ID = g.groupID(it.ID)
	it.DisplayName.into(&group.Name)
	group.Security = security(group, known, it)
	g.groups[it.ID] = group
	if len(it.Members) == 0 {
		return
	}
	of := g.members[it.ID]
	if of == nil {
		of = make(map[memberID]bool, len(it.Members))
		g.members[it.ID] = of
	}
	for i := range it.Members {
		g.member(of, &it.Members[i])
	}
}

// member takes one line of members@delta. Devices, contacts and service principals are not of interest.
func (g *gathering) member(of map[memberID]bool, m *memberItem) {
	if m.ID == "" || m.Kind == another {
		return
	}
	object := g.names.one(m.ID)
	switch {
	case m.Kind == aUser:
		of[memberID{object, false}] = m.Removed
	case m.Kind == aGroup:
		of[memberID{object, true}] = m.Removed
	case m.Removed: // of whichever kind it was
		of[memberID{object, false}], of[memberID{object, true}] = true, true
	default:
		of[memberID{object, g.isGroup(object)}] = false
	}
}

// named reports that a user or group was said to be there.
func (g *gathering) named(id string) bool {
	_, user := g.users[id]
	_, group := g.groups[id]
	return user || group
}

func (g *gathering) isGroup(object string) bool {
	if _, there := g.groups[object]; there {
		return true
	}
	_, there := g.base.Group(g.groupID(object))
	return there
}

// assign marks the groups of the base whose assignment is not as it was.
func (g *gathering) assign() {
	for old := range g.base.AllGroups() {
		_, role := old.ID.AppRole()
		_, said := g.groups[old.ID.Object]
		if !role && !said && !g.goneGroups[old.ID.Object] && old.ID.Tenant == g.tenant && old.Assigned != g.assigned[old.ID.Object] {
			g.groups[old.ID.Object] = *old
		}
	}
}

// change is what was gathered.
func (g *gathering) change() directory.Change {
	c := directory.Change{Users: slices.AppendSeq(make([]directory.User, 0, len(g.users)), maps.Values(g.users))}
	c.Groups = make([]directory.Group, 0, len(g.groups))
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
	total := 0
	for _, of := range g.members {
		total += len(of)
	}
	c.Members = make([]directory.Membership, 0, total)
	for group, of := range g.members {
		id := g.groupID(group)
		for m, taken := range of {
			if taken && g.whole {
				continue // from nothing
			}
			c.Members = append(c.Members, directory.Membership{Group: id, Member: g.memberOf(m), Removed: taken})
		}
	}
	return c
}

func (g *gathering) memberOf(m memberID) directory.Member {
	if m.group {
		return directory.Member{Group: g.groupID(m.object)}
	}
	return directory.Member{User: g.userID(m.object)}
}
