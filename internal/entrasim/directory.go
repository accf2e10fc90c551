package entrasim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// directory holds people, groups and who is in which group, each with the number of the change
// that touched it last, so that a delta query can be answered from any earlier number. What was
// deleted stays as a tombstone. It has no lock of its own: [Tenant.mu] guards it.
type directory struct {
	Generation string // part of every delta token; a new one makes all earlier tokens unknown
	Seq        int64
	Users      map[string]*userRow
	Groups     map[string]*groupRow
	Assigned   map[string][]Assignment // by object ID of the service principal
	Apps       map[string]int64        `json:",omitempty"` // service principals that changed, and when last
	Consents   []consent               `json:",omitempty"` // delegated permissions that apps were given
	Policies   []Policy                `json:",omitempty"` // of Conditional Access
	Seeded     map[string]string       `json:",omitempty"` // by service principal: which permissions it was given by the organisation

	userIDs  []string            // sorted, tombstones included
	groupIDs []string            // sorted, tombstones included
	journal  map[string][]entry  // by collection, "Users" or "Groups": what changed, in order
	parents  map[string][]string // member → groups it is in directly, sorted
	names    map[string]string   // user principal name in lower case → who had it last
	silent   bool                // revocations are not told by delta queries
	events   []event             // what changed since the last take
}

type userRow struct {
	User
	SignInsValidFrom time.Time
	Epoch            int       // counts revocations: a grant of an earlier epoch is revoked
	Recycled         *recycled `json:",omitempty"` // while the user can be restored
	change
}

type groupRow struct {
	Group                     // Members is unused here
	Entries      []membership // sorted by Member
	EntriesSince int64        // number of the last change of membership
	Recycled     *recycled    `json:",omitempty"` // while the group can be restored
	change
}

// membership is one member of a group, or, when Removed, one that was.
type membership struct {
	Member  string
	Seq     int64
	Removed bool `json:",omitempty"`
}

// entry is a line of the journal: the object that a change touched.
type entry struct {
	Seq int64
	ID  string
}

// change says by number when an object was made, changed and deleted (0: it is there).
type change struct {
	Created, Changed, Deleted int64
	Restored                  int64            `json:",omitempty"` // taken out of the recycle bin
	Props                     map[string]int64 `json:",omitempty"` // property → number, for Prefer: return=minimal
}

func newDirectory(org Organisation) (*directory, error) {
	// Seq begins above 0, which in a delta token means that the client knows nothing yet.
	d := &directory{Generation: randomID(9), Seq: 1, Users: map[string]*userRow{}, Groups: map[string]*groupRow{}, Assigned: map[string][]Assignment{}}
	for _, u := range org.Users {
		d.Seq++
		d.Users[u.ID] = &userRow{User: u, SignInsValidFrom: u.CreatedDateTime, change: change{Created: d.Seq, Changed: d.Seq}}
	}
	for _, g := range org.Groups {
		d.Seq++
		row := &groupRow{Group: g, EntriesSince: d.Seq, change: change{Created: d.Seq, Changed: d.Seq}}
		for _, m := range slices.Compact(slices.Sorted(slices.Values(g.Members))) {
			row.Entries = append(row.Entries, membership{Member: m, Seq: d.Seq})
		}
		row.Members = nil
		d.Groups[g.ID] = row
	}
	for _, p := range org.Policies {
		p.ID, p.State = or(p.ID, newGUID()), or(p.State, PolicyEnabled)
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.Name, err)
		}
		d.Policies = append(d.Policies, p)
	}
	for _, a := range org.Apps {
		d.Assigned[a.PrincipalID] = slices.Clone(a.Assignments)
	}
	d.index()
	for id, g := range d.Groups {
		for _, e := range g.Entries {
			if d.user(e.Member) == nil && d.group(e.Member) == nil {
				return nil, fmt.Errorf("group %s (%s) has the unknown member %s", g.DisplayName, id, e.Member)
			}
		}
	}
	return d, nil
}

// index rebuilds what is derived from the rows.
func (d *directory) index() {
	d.userIDs = slices.Sorted(maps.Keys(d.Users))
	d.groupIDs = slices.Sorted(maps.Keys(d.Groups))
	d.parents = make(map[string][]string, len(d.Users))
	d.names = make(map[string]string, len(d.Users))
	d.journal = map[string][]entry{}
	for _, id := range d.userIDs {
		d.named(d.Users[id])
		d.journal["Users"] = append(d.journal["Users"], entry{d.Users[id].Changed, id})
	}
	for _, id := range d.groupIDs {
		g := d.Groups[id]
		d.journal["Groups"] = append(d.journal["Groups"], entry{max(g.Changed, g.EntriesSince), id})
	}
	for _, list := range d.journal {
		slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	for _, id := range d.groupIDs {
		for _, e := range d.Groups[id].Entries {
			if !e.Removed {
				d.parents[e.Member] = append(d.parents[e.Member], id) // in order, since groupIDs is
			}
		}
	}
}

func (d *directory) link(member, group string) {
	d.parents[member] = insertSorted(d.parents[member], group)
}

func (d *directory) unlink(member, group string) {
	if i, found := slices.BinarySearch(d.parents[member], group); found {
		d.parents[member] = slices.Delete(d.parents[member], i, i+1)
	}
}

// named notes by which name a user is found. Names of before stay, and lead to nobody.
func (d *directory) named(u *userRow) {
	if u.Deleted == 0 {
		d.names[strings.ToLower(u.UserPrincipalName)] = u.ID
	}
}

// user returns the user with this object ID, or nil when there is none (any more).
func (d *directory) user(id string) *userRow {
	if u := d.Users[id]; u != nil && u.Deleted == 0 {
		return u
	}
	return nil
}

// group returns the group with this object ID, or nil when there is none (any more).
func (d *directory) group(id string) *groupRow {
	if g := d.Groups[id]; g != nil && g.Deleted == 0 {
		return g
	}
	return nil
}

// findUser takes an object ID, a user principal name or, of the tenant's own domain, a user name.
func (d *directory) findUser(ref string) *userRow {
	if u := d.user(strings.ToLower(ref)); u != nil {
		return u
	}
	if strings.Contains(ref, "@") {
		if u := d.user(d.names[strings.ToLower(ref)]); u != nil && strings.EqualFold(u.UserPrincipalName, ref) {
			return u
		}
		return nil
	}
	if isGUID(ref) {
		return nil
	}
	for _, u := range d.Users {
		if u.Deleted == 0 && strings.EqualFold(u.UserName(), ref) {
			return u
		}
	}
	return nil
}

// findGroup takes an object ID or a display name.
func (d *directory) findGroup(ref string) *groupRow {
	if g := d.group(strings.ToLower(ref)); g != nil {
		return g
	}
	for _, id := range d.groupIDs {
		if g := d.Groups[id]; g.Deleted == 0 && g.DisplayName == ref {
			return g
		}
	}
	return nil
}

// kind names the OData type of a live object: "user", "group", or "" for neither.
func (d *directory) kind(id string) string {
	switch {
	case d.user(id) != nil:
		return "user"
	case d.group(id) != nil:
		return "group"
	}
	return ""
}

// search finds where id is, or belongs, among a group's entries.
func (g *groupRow) search(id string) (int, bool) {
	return slices.BinarySearchFunc(g.Entries, id, func(m membership, id string) int { return strings.Compare(m.Member, id) })
}

// memberIDs lists the direct members by ID.
func (g *groupRow) memberIDs() []string {
	var ids []string
	for _, e := range g.Entries {
		if !e.Removed {
			ids = append(ids, e.Member)
		}
	}
	return ids
}

// changedSince lists the objects of a collection that changed after a number, by ID; after 0, all.
func (d *directory) changedSince(collection string, since int64) []string {
	if since == 0 {
		if collection == "Users" {
			return d.userIDs
		}
		return d.groupIDs
	}
	list := d.journal[collection]
	at, _ := slices.BinarySearchFunc(list, since+1, func(e entry, seq int64) int { return cmp.Compare(e.Seq, seq) })
	var ids []string
	for _, e := range list[at:] {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// groupsOf lists the groups that contain id, directly or through other groups, by ID.
func (d *directory) groupsOf(id string, transitive bool) []string {
	seen := map[string]struct{}{}
	todo := []string{id}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, g := range d.parents[at] {
			if _, again := seen[g]; !again {
				seen[g] = struct{}{}
				if transitive {
					todo = append(todo, g)
				}
			}
		}
	}
	delete(seen, id) // a circle of groups contains itself; Graph does not say so
	return slices.Sorted(maps.Keys(seen))
}

// membersOf lists all members of a group, through nested groups too, by ID.
func (d *directory) membersOf(group string) []string {
	seen := map[string]struct{}{}
	todo := []string{group}
	for len(todo) > 0 {
		g := d.group(todo[0])
		todo = todo[1:]
		if g == nil {
			continue
		}
		for _, m := range g.memberIDs() {
			if _, again := seen[m]; !again {
				seen[m] = struct{}{}
				todo = append(todo, m)
			}
		}
	}
	delete(seen, group)
	return slices.Sorted(maps.Keys(seen))
}
