package entrasim

import "slices"

// recycled is what a deleted user gets back when it is restored: real tenants give memberships and app roles back.
type recycled struct {
	Groups      []string
	Members     []string                // of a group
	Assignments map[string][]Assignment // by object ID of the service principal
}

func (d *directory) recycle(user string) *recycled {
	r := &recycled{Groups: d.groupsOf(user, false), Assignments: map[string][]Assignment{}}
	for principal, list := range d.Assigned {
		for _, a := range list {
			if a.PrincipalID == user {
				r.Assignments[principal] = append(r.Assignments[principal], a)
			}
		}
	}
	return r
}

// deletedUser finds a user in the recycle bin, or nil.
func (d *directory) deletedUser(id string) *userRow {
	if u := d.Users[id]; u != nil && u.Deleted != 0 && u.Recycled != nil {
		return u
	}
	return nil
}

// binGroup soft-deletes a group: it is in no group and has no members while it can be restored.
func (d *directory) binGroup(g *groupRow) {
	was := d.recycle(g.ID)
	was.Members = g.memberIDs()
	d.deleteGroup(g)
	g.Recycled = was
}

// deletedGroup finds a group in the recycle bin, or nil.
func (d *directory) deletedGroup(id string) *groupRow {
	if g := d.Groups[id]; g != nil && g.Deleted != 0 && g.Recycled != nil {
		return g
	}
	return nil
}

func (d *directory) restoreGroup(g *groupRow) error {
	was := g.Recycled
	g.Deleted, g.Recycled = 0, nil
	d.touch(&g.change)
	g.Restored = d.Seq
	d.emit(event{Collection: "Groups", ID: g.ID, ChangeType: "updated"})
	for _, m := range was.Members {
		if d.kind(m) != "" {
			if err := d.addMember(g, m); err != nil {
				return err
			}
		}
	}
	return d.regain(g.ID, was)
}

// regain gives a restored object the groups and app roles that it had.
func (d *directory) regain(id string, was *recycled) error {
	for _, group := range was.Groups {
		if g := d.group(group); g != nil {
			if err := d.addMember(g, id); err != nil {
				return err
			}
		}
	}
	for principal, list := range was.Assignments {
		d.Assigned[principal] = append(slices.Clone(d.Assigned[principal]), list...)
	}
	return nil
}

// RecycleGroup deletes a group so that it can be restored.
func (t *Tenant) RecycleGroup(group string) error {
	return t.onGroup(group, func(d *directory, g *groupRow) error { d.binGroup(g); return nil })
}

// RestoreGroup takes a deleted group (by object ID) out of the recycle bin, with the members, groups and app roles it had.
func (t *Tenant) RestoreGroup(id string) error {
	return t.change(func(d *directory) error { return d.restore(id) })
}

// PurgeGroup takes a deleted group out of the recycle bin for good.
func (t *Tenant) PurgeGroup(id string) error {
	return t.change(func(d *directory) error { return d.purge(id) })
}

// ChangeUser changes properties of a user other than its ID and its password.
func (t *Tenant) ChangeUser(user string, change func(*User)) error {
	return t.change(func(d *directory) error {
		u := d.findUser(user)
		if u == nil {
			return notFound(user)
		}
		changed := u.User
		change(&changed)
		changed.ID, changed.Password = u.ID, u.Password
		if other := d.findUser(changed.UserPrincipalName); other != nil && other.ID != u.ID {
			return badRequest("Another object with the same value for property userPrincipalName already exists.")
		}
		u.User = changed
		d.updatedUser(u, "userPrincipalName", "displayName", "givenName", "surname", "mail", "jobTitle", "department", "accountEnabled")
		return nil
	})
}

// RestoreUser takes a deleted user (by object ID) out of the recycle bin, with the groups and app roles it had.
func (t *Tenant) RestoreUser(id string) error {
	return t.change(func(d *directory) error { return d.restore(id) })
}

func (d *directory) restore(id string) error {
	if g := d.deletedGroup(id); g != nil {
		return d.restoreGroup(g)
	}
	u := d.deletedUser(id)
	if u == nil {
		return notFound(id)
	}
	if d.findUser(u.UserPrincipalName) != nil {
		return badRequest("Another object with the same value for property userPrincipalName already exists.")
	}
	was := u.Recycled
	u.Deleted, u.Recycled = 0, nil
	d.named(u)
	d.touch(&u.change)
	u.Restored = d.Seq // a client that dropped what it knew needs all properties again
	d.emit(event{Collection: "Users", ID: id, ChangeType: "updated"})
	return d.regain(id, was)
}

// PurgeUser takes a deleted user out of the recycle bin for good, as a tenant does after thirty days.
func (t *Tenant) PurgeUser(id string) error {
	return t.change(func(d *directory) error { return d.purge(id) })
}

func (d *directory) purge(id string) error {
	if g := d.deletedGroup(id); g != nil {
		d.Seq++
		g.Changed, g.Deleted, g.Recycled = d.Seq, d.Seq, nil
		d.emit(event{Collection: "Groups", ID: id, ChangeType: "deleted"})
		return nil
	}
	u := d.deletedUser(id)
	if u == nil {
		return notFound(id)
	}
	d.Seq++
	u.Changed, u.Deleted, u.Recycled = d.Seq, d.Seq, nil
	d.emit(event{Collection: "Users", ID: id, ChangeType: "deleted"})
	return nil
}

// Assign gives a user or group an app role of an app; without a role, [DefaultAccess].
func (t *Tenant) Assign(clientID, principal, role string) error {
	return t.onAssignments(clientID, func(d *directory, app App, list []Assignment) ([]Assignment, error) {
		principal := d.memberID(principal)
		if d.kind(principal) == "" {
			return nil, notFound(principal)
		}
		if slices.ContainsFunc(list, func(a Assignment) bool { return a.PrincipalID == principal && a.AppRoleID == roleOf(app, role) }) {
			return nil, badRequest("Permission being assigned already exists on the object")
		}
		return append(list, Assignment{ID: randomID(32), PrincipalID: principal, AppRoleID: roleOf(app, role), Created: t.now().UTC()}), nil
	})
}

// Unassign takes an app role back; without a role, every assignment of the principal.
func (t *Tenant) Unassign(clientID, principal, role string) error {
	return t.onAssignments(clientID, func(d *directory, app App, list []Assignment) ([]Assignment, error) {
		principal := d.memberID(principal)
		return slices.DeleteFunc(list, func(a Assignment) bool {
			return a.PrincipalID == principal && (role == "" || a.AppRoleID == roleOf(app, role))
		}), nil
	})
}

func (t *Tenant) onAssignments(clientID string, f func(*directory, App, []Assignment) ([]Assignment, error)) error {
	app, known := t.App(clientID)
	if !known {
		return notFound(clientID)
	}
	return t.change(func(d *directory) error {
		list, err := f(d, app, slices.Clone(d.Assigned[app.PrincipalID]))
		if err != nil {
			return err
		}
		d.Seq++
		d.Assigned[app.PrincipalID] = list
		return nil
	})
}

// roleOf is the ID of the app's role of this value.
func roleOf(app App, value string) string {
	for _, r := range app.AppRoles {
		if r.Value == value {
			return r.ID
		}
	}
	return DefaultAccess
}
