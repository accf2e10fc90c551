package entrasim

import (
	"net/http"
	"strings"
)

func (t *Tenant) graphGroups(r graphRequest) (graphAnswer, error) {
	if !r.may("Group.Read.All", "GroupMember.Read.All", "Directory.Read.All", DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	switch {
	case len(r.path) == 1 && r.Method == http.MethodPost:
		return t.postGroup(r)
	case len(r.path) == 1 && r.Method == http.MethodGet:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.list(r, "groups", "group", t.dir.groupIDs)
	case len(r.path) == 1:
		return graphAnswer{}, notAllowed(r.Method)
	case r.path[1] == "$count" && r.Method == http.MethodGet:
		return t.countOf(r, len(t.Groups()))
	case r.path[1] == "delta" || r.path[1] == "delta()":
		return t.delta(r, "groups")
	}
	id := strings.ToLower(r.path[1])
	t.mu.Lock()
	found := t.dir.group(id) != nil
	t.mu.Unlock()
	if !found {
		return graphAnswer{}, notFound(r.path[1])
	}
	if len(r.path) > 2 {
		return t.graphMembers(r, id, r.path[2:])
	}
	switch r.Method {
	case http.MethodGet:
		return t.getObject(r, id, "group", "groups")
	case http.MethodPatch:
		return t.patchGroup(r, id)
	case http.MethodDelete:
		return t.changeGroup(r, id, func(d *directory, g *groupRow) error {
			if t.org.RecycleGroups {
				d.binGroup(g)
			} else {
				d.deleteGroup(g)
			}
			return nil
		})
	}
	return graphAnswer{}, notAllowed(r.Method)
}

// graphMembers answers what lies below /groups/{id}.
func (t *Tenant) graphMembers(r graphRequest, group string, rest []string) (graphAnswer, error) {
	path := strings.Join(rest, "/")
	switch {
	case path == "members" && r.Method == http.MethodGet:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.listObjects(r, t.dir.Groups[group].memberIDs())
	case path == "transitiveMembers" && r.Method == http.MethodGet:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.listObjects(r, t.dir.membersOf(group))
	case path == "memberOf" && r.Method == http.MethodGet:
		return t.memberOf(r, group, false)
	case path == "getMemberObjects" && r.Method == http.MethodPost, path == "getMemberGroups" && r.Method == http.MethodPost:
		return t.memberObjects(r, group)
	case rest[0] == "appRoleAssignments":
		return t.assignmentsOf(r, group, rest[1:])
	case path == "transitiveMemberOf" && r.Method == http.MethodGet:
		return t.memberOf(r, group, true)
	case path == "members/$ref" && r.Method == http.MethodPost:
		var body struct {
			ID string `json:"@odata.id"`
		}
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		return t.changeGroup(r, group, func(d *directory, g *groupRow) error { return d.addMember(g, referred(body.ID)) })
	case len(rest) == 3 && rest[0] == "members" && rest[2] == "$ref" && r.Method == http.MethodDelete:
		return t.changeGroup(r, group, func(d *directory, g *groupRow) error { return d.removeMember(g, strings.ToLower(rest[1])) })
	}
	return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + rest[0] + "'."}
}

// referred takes the object ID from an @odata.id such as https://…/v1.0/directoryObjects/{id}.
func referred(link string) string {
	return strings.ToLower(link[strings.LastIndex(link, "/")+1:])
}

func (t *Tenant) changeGroup(r graphRequest, id string, f func(*directory, *groupRow) error) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.change(func(d *directory) error {
		g := d.group(id)
		if g == nil {
			return notFound(id)
		}
		return f(d, g)
	})
}

// groupBody is what may be written of a group.
type groupBody struct {
	DisplayName     *string  `json:"displayName"`
	Description     *string  `json:"description"`
	MailEnabled     *bool    `json:"mailEnabled"`
	SecurityEnabled *bool    `json:"securityEnabled"`
	Members         []string `json:"members@odata.bind"`
}

func (t *Tenant) postGroup(r graphRequest) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	var body groupBody
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if body.SecurityEnabled == nil || !*body.SecurityEnabled || body.MailEnabled == nil || *body.MailEnabled {
		return graphAnswer{}, badRequest("This tenant keeps security groups only: securityEnabled must be true and mailEnabled false.")
	}
	group := Group{ID: newGUID(), CreatedDateTime: t.now().UTC()}
	body.set(&group)
	var made entity
	err := t.change(func(d *directory) error {
		row, err := d.createGroup(group)
		if err != nil {
			return err
		}
		made = projected(groupEntity(row), groupDefaults())
		made["@odata.context"] = t.context("groups", nil) + "/$entity"
		return bind(d, row, body.Members)
	})
	return graphAnswer{Status: http.StatusCreated, Body: made, Location: t.graphURL("groups/" + group.ID)}, err
}

func (t *Tenant) patchGroup(r graphRequest, id string) (graphAnswer, error) {
	var body groupBody
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	return t.changeGroup(r, id, func(d *directory, g *groupRow) error {
		if props := body.set(&g.Group); len(props) > 0 {
			d.updatedGroup(g, props...)
		}
		return bind(d, g, body.Members)
	})
}

func (b groupBody) set(g *Group) []string {
	var props []string
	if b.DisplayName != nil {
		g.DisplayName = *b.DisplayName
		props = append(props, "displayName")
	}
	if b.Description != nil {
		g.Description = *b.Description
		props = append(props, "description")
	}
	return props
}

// bind adds members by links; Graph takes up to 20 in one request.
func bind(d *directory, g *groupRow, links []string) error {
	if len(links) > 20 {
		return badRequest("The number of members in one request is limited to 20.")
	}
	for _, link := range links {
		if err := d.addMember(g, referred(link)); err != nil {
			return err
		}
	}
	return nil
}
