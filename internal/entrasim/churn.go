package entrasim

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Churn makes the changes of a busy directory, the same ones from the same seed on the same tenant. It is for one
// goroutine; the tenant may be used by others meanwhile.
type Churn struct {
	tenant *Tenant
	random *rand.Rand
	made   int
	binned []string // users in the recycle bin that it put there
	// App is the client ID of an app whose assignments change, too; empty: none do.
	App string
	// Keep names objects (by ID) that are left alone.
	Keep map[string]bool
}

// Churn begins a sequence of changes.
func (t *Tenant) Churn(seed uint64) *Churn {
	return &Churn{tenant: t, random: rand.New(rand.NewPCG(seed, 2))}
}

// Change makes one change and says which: mostly of memberships and of accountEnabled, now and then a user or group that
// comes, goes, comes back, is renamed, or a person whose sessions are revoked.
func (c *Churn) Change() (string, error) {
	var what string
	err := c.tenant.change(func(d *directory) (err error) {
		what, err = c.change(d)
		return err
	})
	return what, err
}

func (c *Churn) change(d *directory) (string, error) {
	t := c.tenant
	u, g := c.user(d), c.group(d)
	if u == nil || g == nil {
		return "nothing", nil
	}
	c.made++
	if app, known := t.app(c.App); c.App != "" && known && c.random.IntN(12) == 0 {
		return c.assign(d, app, u, g), nil
	}
	switch pick := c.random.IntN(100); {
	case pick < 35:
		if i, in := g.search(u.ID); in && !g.Entries[i].Removed {
			return "remove " + u.ID + " from " + g.ID, d.removeMember(g, u.ID)
		}
		return "add " + u.ID + " to " + g.ID, d.addMember(g, u.ID)
	case pick < 65:
		members := g.memberIDs()
		if len(members) == 0 {
			return "add " + u.ID + " to " + g.ID, d.addMember(g, u.ID)
		}
		m := members[c.random.IntN(len(members))]
		return "remove " + m + " from " + g.ID, d.removeMember(g, m)
	case pick < 70:
		inner := c.group(d)
		if i, in := g.search(inner.ID); inner.ID == g.ID || in && !g.Entries[i].Removed {
			d.updatedGroup(g, "description")
			return "touch " + g.ID, nil
		}
		return "nest " + inner.ID + " in " + g.ID, d.addMember(g, inner.ID)
	case pick < 82:
		d.setEnabled(u, !u.AccountEnabled)
		return fmt.Sprintf("enabled=%v for %s", u.AccountEnabled, u.ID), nil
	case pick < 86:
		u.DisplayName = fmt.Sprintf("Renamed %d", c.made)
		d.updatedUser(u, "displayName")
		return "rename " + u.ID, nil
	case pick < 89:
		g.DisplayName = fmt.Sprintf("renamed-%d", c.made)
		d.updatedGroup(g, "displayName")
		return "rename " + g.ID, nil
	case pick < 91:
		d.revoke(u, t.now())
		return "revoke " + u.ID, nil
	case pick < 94:
		made := c.newUser()
		_, err := d.createUser(made)
		return "create " + made.ID, err
	case pick < 96:
		d.deleteUser(u)
		c.binned = append(c.binned, u.ID)
		return "delete " + u.ID, nil
	case pick < 98 && len(c.binned) > 0:
		id := c.binned[len(c.binned)-1]
		c.binned = c.binned[:len(c.binned)-1]
		if pick == 96 {
			return "purge " + id, d.purge(id)
		}
		return "restore " + id, d.restore(id)
	case pick == 99:
		d.deleteGroup(g)
		return "delete " + g.ID, nil
	}
	id := c.id('G')
	_, err := d.createGroup(Group{ID: id, DisplayName: fmt.Sprintf("new-%d", c.made), CreatedDateTime: t.now().UTC()})
	return "create " + id, err
}

// assign gives a user or group an app role, or takes it back.
func (c *Churn) assign(d *directory, app App, u *userRow, g *groupRow) string {
	who, role := u.ID, DefaultAccess
	if c.random.IntN(2) == 0 {
		who = g.ID
	}
	if n := c.random.IntN(len(app.AppRoles) + 1); n > 0 {
		role = app.AppRoles[n-1].ID
	}
	d.Seq++
	list := slices.Clone(d.Assigned[app.PrincipalID])
	if i := slices.IndexFunc(list, func(a Assignment) bool { return a.PrincipalID == who && a.AppRoleID == role }); i >= 0 {
		d.Assigned[app.PrincipalID] = slices.Delete(list, i, i+1)
		return "unassign " + who + " from " + role
	}
	d.Assigned[app.PrincipalID] = append(list, Assignment{ID: c.id('A'), PrincipalID: who, AppRoleID: role, Created: c.tenant.now().UTC()})
	return "assign " + who + " to " + role
}

func (c *Churn) newUser() User {
	id := c.id('U')
	name := fmt.Sprintf("new.%s", id[:13])
	address := name + "@" + c.tenant.org.Domain
	return User{ID: id, UserPrincipalName: address, Mail: address, DisplayName: name, AccountEnabled: true, CreatedDateTime: c.tenant.now().UTC()}
}

func (c *Churn) id(kind byte) string { return Size{Seed: c.random.Uint64()}.id(kind, c.made) }

// user picks one that is there and may be changed, or nil after some tries.
func (c *Churn) user(d *directory) *userRow {
	for range 100 {
		if len(d.userIDs) == 0 {
			return nil
		}
		id := d.userIDs[c.random.IntN(len(d.userIDs))]
		if u := d.user(id); u != nil && !c.Keep[id] {
			return u
		}
	}
	return nil
}

func (c *Churn) group(d *directory) *groupRow {
	for range 100 {
		if len(d.groupIDs) == 0 {
			return nil
		}
		id := d.groupIDs[c.random.IntN(len(d.groupIDs))]
		if g := d.group(id); g != nil && !c.Keep[id] {
			return g
		}
	}
	return nil
}
