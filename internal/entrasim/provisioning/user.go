package provisioning

import (
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// user provisions one user.
func (c *client) user(ctx context.Context, v *view, objectID string) error {
	u, link := v.Users[objectID], c.s.userLink(objectID)
	r := Record{Kind: "User", Source: objectID, Name: u.UserPrincipalName}
	if link != nil {
		r.Target = link.target
	}
	gone, in := u.Recycled || u.Purged, v.userInScope(objectID)
	switch {
	case link == nil && (gone || !in):
		return nil // the service never heard of it
	case link == nil && !u.AccountEnabled:
		r.Action, r.Outcome, r.Detail = Other, Skipped, "a disabled user is not created"
		c.s.note(r)
		return nil
	case link != nil && link.unmanaged && (gone || !in):
		return nil
	case u.Purged:
		r.Action = Delete
		err := c.remove(ctx, "Users", link.target)
		if err == nil {
			c.s.unlinkUser(objectID)
		}
		return c.outcome(ctx, r, err)
	case u.Recycled || !in:
		r.Action, r.Changes = Disable, []string{"active"}
		if !link.active && u.Recycled {
			return nil
		}
		err := c.patch(ctx, "Users", link.target, c.dialect.operations([]edit{{path: "active", was: true, now: false}}))
		if err == nil {
			link.active, link.unmanaged = false, !u.Recycled
		}
		if answered(err, http.StatusNotFound) { // gone at the endpoint: nothing is left to disable
			c.s.unlinkUser(objectID)
			err = nil
		}
		return c.outcome(ctx, r, err)
	case link == nil:
		return c.newUser(ctx, v, u, r)
	}
	return c.changedUser(ctx, v, u, link, r)
}

// newUser looks for a user who is there already, and creates it when there is none.
func (c *client) newUser(ctx context.Context, v *view, u entrasim.ExtractedUser, r Record) error {
	values, roles := c.settings.Users.ofUser(u, true), v.rolesOf(u.ID)
	r.Action = Create
	found, err := c.find(ctx, "Users", c.settings.Users.Match, c.settings.Users.matching(values), "")
	if err != nil {
		return c.outcome(ctx, r, err)
	}
	if found != nil {
		link := &userLink{target: id(found)}
		if !c.s.linkUser(u.ID, link) {
			r.Detail = "another user of the tenant is provisioned to this one"
			return c.outcome(ctx, r, &answerError{Status: http.StatusConflict, Detail: r.Detail})
		}
		return c.updateUser(ctx, u, link, found, values, roles, r)
	}
	resource := userResource(values, c.settings.Quirks, c.dialect)
	if c.settings.Roles != NoRoles {
		resource["roles"] = c.settings.Roles.posted(roles)
	} else if !c.dialect.modern {
		resource["roles"] = []any{}
	}
	for _, a := range values {
		if a.is != nil {
			r.Changes = append(r.Changes, a.path)
		}
	}
	made, err := c.create(ctx, "Users", resource)
	if err == nil {
		r.Target = id(made)
		c.s.linkUser(u.ID, &userLink{target: r.Target, active: true, roles: roleKey(roles)})
	} else if conflicted(err) {
		r.Detail = "a user of another " + c.settings.Users.Match + " has a value that must be unique"
	}
	return c.outcome(ctx, r, err)
}

// userResource is the body of the POST that creates a user.
func userResource(values []value, q Quirks, d dialect) map[string]any {
	schemas := []string{coreUser, enterprise}
	if q.MalformedURN {
		schemas[1] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"
	}
	resource := map[string]any{"schemas": schemas, "meta": map[string]any{"resourceType": "User"}}
	for _, v := range values {
		is := v.is
		if b, ok := is.(bool); ok && q.StringBooleans {
			is = d.boolean(b)
		}
		switch p := parsePath(v.path); {
		case is != nil:
			put(resource, v.path, is)
		case q.Nulls && p.urn != "":
			resource[p.attribute] = nil // as the sample has it: beside the core attributes
		case q.Nulls && resource[p.attribute] == nil:
			resource[p.attribute] = nil
		}
	}
	return resource
}

// changedUser compares what the endpoint has with the tenant and sends the difference.
func (c *client) changedUser(ctx context.Context, v *view, u entrasim.ExtractedUser, link *userLink, r Record) error {
	r.Action = Update
	has, err := c.get(ctx, "Users", link.target, "")
	if answered(err, http.StatusNotFound) {
		c.s.unlinkUser(u.ID)
		if !u.AccountEnabled {
			return nil
		}
		return c.newUser(ctx, v, u, Record{Kind: r.Kind, Source: r.Source, Name: r.Name})
	}
	if err != nil {
		return c.outcome(ctx, r, err)
	}
	return c.updateUser(ctx, u, link, has, c.settings.Users.ofUser(u, u.AccountEnabled), v.rolesOf(u.ID), r)
}

func (c *client) updateUser(ctx context.Context, u entrasim.ExtractedUser, link *userLink, has map[string]any, values []value, roles []entrasim.AppRole, r Record) error {
	r.Action, r.Target = Update, link.target
	edits := differences(has, values)
	if len(edits) > 0 && edits[0].path == "active" && !u.AccountEnabled && len(edits) == 1 {
		r.Action = Disable
	}
	ops := c.dialect.operations(edits)
	for _, e := range edits {
		r.Changes = append(r.Changes, e.path)
	}
	if c.settings.Roles != NoRoles && link.roles != roleKey(roles) {
		if more := c.settings.Roles.changed(c.dialect, roles); more != nil {
			ops = append(ops, more...)
			r.Changes = append(r.Changes, "roles")
		}
	}
	if len(ops) == 0 {
		link.active, link.unmanaged, link.roles = u.AccountEnabled, false, roleKey(roles)
		return nil
	}
	err := c.patch(ctx, "Users", link.target, ops)
	if err == nil {
		link.active, link.unmanaged, link.roles = u.AccountEnabled, false, roleKey(roles)
	}
	return c.outcome(ctx, r, err)
}

// differences are the attributes of which the tenant says something else than the endpoint has. Of what the tenant says
// nothing, nothing is sent.
func differences(has map[string]any, values []value) []edit {
	var edits []edit
	for _, v := range values {
		if v.is == nil {
			continue
		}
		was := get(has, v.path)
		if text, ok := was.(string); ok && v.path == "active" {
			was = text == "True" || text == "true"
		}
		if was != v.is {
			edits = append(edits, edit{path: v.path, was: was, now: v.is})
		}
	}
	return edits
}

// manager sets a user's manager where it is provisioned; the endpoint is asked first whether it knows.
func (c *client) manager(ctx context.Context, v *view, objectID string) error {
	u, link := v.Users[objectID], c.s.userLink(objectID)
	boss := c.s.userLink(u.Manager)
	if link == nil || link.unmanaged || u.Recycled || boss == nil || boss.target == link.manager {
		return nil
	}
	r := Record{Kind: "User", Action: Update, Source: objectID, Target: link.target, Name: u.UserPrincipalName, Changes: []string{"manager"}}
	known, err := c.query(ctx, "Users", "id eq "+c.literal(link.target)+" and manager eq "+c.literal(boss.target), "attributes", "id")
	if err == nil && known == nil {
		err = c.patch(ctx, "Users", link.target, c.dialect.manager(c.base, boss.target))
	}
	if err == nil {
		link.manager = boss.target
		if known != nil {
			return nil
		}
	}
	return c.outcome(ctx, r, err)
}

// linkUser notes where a user is; false: another one is there already.
func (s *Service) linkUser(objectID string, link *userLink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner, taken := s.owners[link.target]; taken && owner != objectID {
		return false
	}
	s.users[objectID], s.owners[link.target] = link, objectID
	return true
}

// unlinkUser forgets a user who is gone at the endpoint, with its memberships there.
func (s *Service) unlinkUser(objectID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if link := s.users[objectID]; link != nil {
		delete(s.owners, link.target)
	}
	delete(s.users, objectID)
	for _, g := range s.groups {
		if _, member := g.members[objectID]; member {
			delete(g.members, objectID)
			g.stale = true
		}
	}
}
