package entrasim

import (
	"slices"
	"strings"
	"time"
)

// event is one change as a subscriber is told of it.
type event struct {
	Collection string // "Users" or "Groups"
	ID         string
	ChangeType string // created, updated, deleted
	Members    []memberChange
	Seq        int64
}

type memberChange struct {
	ID      string `json:"id"`
	Removed string `json:"@removed,omitempty"` // "deleted" when the member left
}

// emit notes a change under the current number: in the journal, for delta queries, and as an event.
func (d *directory) emit(e event) {
	e.Seq = d.Seq
	d.journal[e.Collection] = append(d.journal[e.Collection], entry{e.Seq, e.ID})
	d.events = append(d.events, e)
}

// take returns and forgets the events since the last take.
func (d *directory) take() []event {
	e := d.events
	d.events = nil
	return e
}

// touch notes that properties changed, under a new number.
func (d *directory) touch(c *change, props ...string) {
	d.Seq++
	c.Changed = d.Seq
	if c.Props == nil {
		c.Props = map[string]int64{}
	}
	for _, p := range props {
		c.Props[p] = d.Seq
	}
}

func (d *directory) createUser(u User) (*userRow, error) {
	if u.UserPrincipalName == "" || !strings.Contains(u.UserPrincipalName, "@") {
		return nil, badRequest("A value is required for property 'userPrincipalName' of resource 'User'.")
	}
	if u.DisplayName == "" {
		return nil, badRequest("A value is required for property 'displayName' of resource 'User'.")
	}
	if d.findUser(u.UserPrincipalName) != nil {
		return nil, badRequest("Another object with the same value for property userPrincipalName already exists.")
	}
	d.Seq++
	row := &userRow{User: u, SignInsValidFrom: u.CreatedDateTime, change: change{Created: d.Seq, Changed: d.Seq}}
	d.Users[u.ID] = row
	d.userIDs = insertSorted(d.userIDs, u.ID)
	d.named(row)
	d.emit(event{Collection: "Users", ID: u.ID, ChangeType: "created"})
	d.emit(event{Collection: "Users", ID: u.ID, ChangeType: "updated"})
	return row, nil
}

func (d *directory) setEnabled(u *userRow, enabled bool) {
	if u.AccountEnabled == enabled {
		return
	}
	u.AccountEnabled = enabled
	d.updatedUser(u, "accountEnabled")
}

// revoke ends every sign-in and refresh token of the user that was made before now.
func (d *directory) revoke(u *userRow, now time.Time) {
	u.Epoch++
	u.SignInsValidFrom = now
	if d.silent {
		d.Seq++
		return
	}
	d.updatedUser(u, "signInSessionsValidFromDateTime")
}

func (d *directory) updatedUser(u *userRow, props ...string) {
	d.named(u)
	d.touch(&u.change, props...)
	d.emit(event{Collection: "Users", ID: u.ID, ChangeType: "updated"})
}

// deleteUser soft-deletes: the user leaves every group, and a notification "updated" goes out
// beside "deleted", as Graph sends both.
func (d *directory) deleteUser(u *userRow) {
	u.Recycled = d.recycle(u.ID)
	for _, group := range u.Recycled.Groups {
		d.removeMember(d.Groups[group], u.ID)
	}
	d.unassign(u.ID)
	d.Seq++
	u.Changed, u.Deleted = d.Seq, d.Seq
	d.emit(event{Collection: "Users", ID: u.ID, ChangeType: "updated"})
	d.emit(event{Collection: "Users", ID: u.ID, ChangeType: "deleted"})
}

func (d *directory) createGroup(g Group) (*groupRow, error) {
	if g.DisplayName == "" {
		return nil, badRequest("A value is required for property 'displayName' of resource 'Group'.")
	}
	d.Seq++
	row := &groupRow{Group: g, change: change{Created: d.Seq, Changed: d.Seq}}
	row.Members = nil
	d.Groups[g.ID] = row
	d.groupIDs = insertSorted(d.groupIDs, g.ID)
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "created"})
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "updated"})
	return row, nil
}

func (d *directory) updatedGroup(g *groupRow, props ...string) {
	d.touch(&g.change, props...)
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "updated"})
}

// deleteGroup deletes for good: security groups have no recycle bin.
func (d *directory) deleteGroup(g *groupRow) {
	for _, parent := range d.groupsOf(g.ID, false) {
		d.removeMember(d.Groups[parent], g.ID)
	}
	for _, member := range g.memberIDs() {
		d.unlink(member, g.ID)
	}
	d.unassign(g.ID)
	d.Seq++
	g.Changed, g.Deleted, g.Entries = d.Seq, d.Seq, nil
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "deleted"})
}

func (d *directory) addMember(g *groupRow, id string) error {
	if d.kind(id) == "" {
		return notFound(id)
	}
	if id == g.ID {
		return badRequest("A group cannot be a member of itself.")
	}
	i, known := g.search(id)
	if known && !g.Entries[i].Removed {
		return badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	d.Seq++
	entry := membership{Member: id, Seq: d.Seq}
	if known {
		g.Entries[i] = entry
	} else {
		g.Entries = slices.Insert(g.Entries, i, entry)
	}
	g.EntriesSince = d.Seq
	d.link(id, g.ID)
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "updated", Members: []memberChange{{ID: id}}})
	return nil
}

func (d *directory) removeMember(g *groupRow, id string) error {
	i, known := g.search(id)
	if !known || g.Entries[i].Removed {
		return notFound(id)
	}
	d.Seq++
	g.Entries[i] = membership{Member: id, Seq: d.Seq, Removed: true}
	g.EntriesSince = d.Seq
	d.unlink(id, g.ID)
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "updated", Members: []memberChange{{ID: id, Removed: "deleted"}}})
	return nil
}

// unassign removes the app role assignments of a principal that goes away.
func (d *directory) unassign(principal string) {
	for app, list := range d.Assigned {
		d.Assigned[app] = slices.DeleteFunc(slices.Clone(list), func(a Assignment) bool { return a.PrincipalID == principal })
	}
}

func insertSorted(ids []string, id string) []string {
	i, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, i, id)
}
