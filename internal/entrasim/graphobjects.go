package entrasim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	idsAtMost   = 1000 // object IDs in one getByIds
	checkAtMost = 20   // group IDs in one checkMemberGroups
)

// graphObjects answers /directoryObjects: objects of any kind by their ID.
func (t *Tenant) graphObjects(r graphRequest) (graphAnswer, error) {
	if !r.may("Directory.Read.All", DirectoryWrite) && !(r.may("User.Read.All") && r.may("Group.Read.All", "GroupMember.Read.All")) {
		return graphAnswer{}, forbidden()
	}
	if len(r.path) == 1 {
		return graphAnswer{}, badRequest("A directory object is asked for by its id, or several by getByIds.")
	}
	if strings.TrimPrefix(r.path[1], "microsoft.graph.") == "getByIds" && r.Method == http.MethodPost {
		return t.byIDs(r)
	}
	id := strings.ToLower(r.path[1])
	t.mu.Lock()
	kind := t.dir.kind(id)
	t.mu.Unlock()
	if kind == "" {
		return graphAnswer{}, notFound(r.path[1])
	}
	switch operation := r.Method + " " + strings.TrimPrefix(strings.Join(r.path[2:], "/"), "microsoft.graph."); operation {
	case "GET ":
		t.mu.Lock()
		defer t.mu.Unlock()
		selected, err := t.selected(r.URL.Query(), "directoryObject")
		if err != nil {
			return graphAnswer{}, err
		}
		e := t.typed([]string{id}, selected)[0]
		e["@odata.context"] = t.context("directoryObjects", selected) + "/$entity"
		return graphAnswer{Body: e}, nil
	case "POST getMemberObjects", "POST getMemberGroups":
		return t.memberObjects(r, id)
	case "POST checkMemberObjects", "POST checkMemberGroups":
		return t.checkMember(r, id)
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (t *Tenant) byIDs(r graphRequest) (graphAnswer, error) {
	var body struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if len(body.IDs) == 0 || len(body.IDs) > idsAtMost {
		return graphAnswer{}, badRequest("The number of values in the parameter 'ids' must be between 1 and 1000.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	selected, err := t.selected(r.URL.Query(), "directoryObject")
	if err != nil {
		return graphAnswer{}, err
	}
	var there []string
	for _, id := range body.IDs {
		kind := t.dir.kind(strings.ToLower(id))
		if kind != "" && (len(body.Types) == 0 || slices.ContainsFunc(body.Types, func(want string) bool { return strings.EqualFold(want, kind) || want == "directoryObject" })) {
			there = append(there, strings.ToLower(id))
		}
	}
	return t.collection(t.context("directoryObjects", selected), t.typed(there, selected), ""), nil
}

// checkMember answers which of some groups contain an object, also through other groups.
func (t *Tenant) checkMember(r graphRequest, id string) (graphAnswer, error) {
	var body struct {
		GroupIDs []string `json:"groupIds"`
		IDs      []string `json:"ids"`
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	asked := slices.Concat(body.GroupIDs, body.IDs)
	if len(asked) == 0 || len(asked) > checkAtMost {
		return graphAnswer{}, badRequest("The number of groups that can be checked in one request is between 1 and 20.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.dir.groupsOf(id, true)
	hits := []string{}
	for _, g := range asked {
		if _, found := slices.BinarySearch(in, strings.ToLower(g)); found {
			hits = append(hits, g)
		}
	}
	return graphAnswer{Body: entity{"@odata.context": t.context("Collection(Edm.String)", nil), "value": hits}}, nil
}

func (t *Tenant) countGroups(r graphRequest, id string) (graphAnswer, error) {
	t.mu.Lock()
	n := len(t.dir.groupsOf(id, true))
	t.mu.Unlock()
	return t.countOf(r, n)
}

// graphDeletedItems answers /directory/deletedItems: the recycle bin.
func (t *Tenant) graphDeletedItems(r graphRequest) (graphAnswer, error) {
	if !r.may("Directory.Read.All", DirectoryWrite) && !(r.may("User.Read.All") && r.may("Group.Read.All")) {
		return graphAnswer{}, forbidden()
	}
	if len(r.path) < 3 || r.path[1] != "deletedItems" {
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment 'directory'."}
	}
	kind, all := strings.CutPrefix(r.path[2], "microsoft.graph.")
	id := strings.ToLower(r.path[2])
	switch operation := r.Method + " " + strings.Join(r.path[3:], "/"); {
	case all && operation == "GET ":
		return t.listDeleted(r, kind)
	case operation == "GET ":
		return t.binned(id, t.context("directoryObjects", nil)+"/$entity")
	case operation == "POST restore":
		if err := r.mayWrite(); err != nil {
			return graphAnswer{}, err
		}
		if err := t.change(func(d *directory) error { return d.restore(id) }); err != nil {
			return graphAnswer{}, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		e := t.typed([]string{id}, nil)[0]
		e["@odata.context"] = t.context("directoryObjects", nil) + "/$entity"
		return graphAnswer{Body: e}, nil
	case operation == "DELETE ":
		if err := r.mayWrite(); err != nil {
			return graphAnswer{}, err
		}
		return graphAnswer{}, t.change(func(d *directory) error { return d.purge(id) })
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (t *Tenant) binned(id, context string) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.deletedEntity(id)
	if e == nil {
		return graphAnswer{}, notFound(id)
	}
	e["@odata.context"] = context
	return graphAnswer{Body: e}, nil
}

func (t *Tenant) listDeleted(r graphRequest, kind string) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.dir.userIDs
	if kind == "group" {
		ids = t.dir.groupIDs
	} else if kind != "user" {
		return graphAnswer{}, badRequest("The recycle bin holds microsoft.graph.user and microsoft.graph.group.")
	}
	var deleted []string
	for _, id := range ids {
		if t.dir.deletedUser(id) != nil || t.dir.deletedGroup(id) != nil {
			deleted = append(deleted, id)
		}
	}
	cut, next, err := t.page(r, deleted)
	if err != nil {
		return graphAnswer{}, err
	}
	var value []entity
	for _, id := range cut {
		value = append(value, t.deletedEntity(id))
	}
	return t.collection(t.context(kind+"s", nil), value, next), nil
}

// deletedEntity is an object in the recycle bin, or nil. t.mu is held.
func (t *Tenant) deletedEntity(id string) entity {
	var e entity
	if u := t.dir.deletedUser(id); u != nil {
		e = projected(userEntity(u), userDefaults())
		e["@odata.type"] = "#microsoft.graph.user"
	} else if g := t.dir.deletedGroup(id); g != nil {
		e = projected(groupEntity(g), groupDefaults())
		e["@odata.type"] = "#microsoft.graph.group"
	}
	return e
}

// assignmentsOf answers /users/{id}/appRoleAssignments and the same below a group: GET, POST and DELETE of one.
func (t *Tenant) assignmentsOf(r graphRequest, principal string, rest []string) (graphAnswer, error) {
	switch {
	case len(rest) == 0 && r.Method == http.MethodGet:
		return t.listAssignmentsOf(r, principal)
	case len(rest) == 0 && r.Method == http.MethodPost:
		var body struct{ PrincipalID, ResourceID, AppRoleID string }
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		app, known := t.principal(body.ResourceID)
		if !known || !strings.EqualFold(body.PrincipalID, principal) {
			return graphAnswer{}, badRequest("Not a valid reference update: principalId or resourceId does not fit.")
		}
		return t.assign(r, app, assignmentBody(body))
	case len(rest) == 1 && r.Method == http.MethodDelete:
		t.mu.Lock()
		var of App
		for _, app := range t.apps {
			if slices.ContainsFunc(t.dir.Assigned[app.PrincipalID], func(a Assignment) bool { return a.ID == rest[0] && a.PrincipalID == principal }) {
				of = app
			}
		}
		t.mu.Unlock()
		return t.deassign(r, of, rest[0])
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (t *Tenant) listAssignmentsOf(r graphRequest, principal string) (graphAnswer, error) {
	keep, err := filterBy(r.URL.Query().Get("$filter"))
	if err != nil {
		return graphAnswer{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	byID := map[string]entity{}
	var ids []string
	for _, app := range t.apps {
		for _, a := range t.dir.Assigned[app.PrincipalID] {
			if a.PrincipalID != principal {
				continue
			}
			if e := t.assignmentEntity(app, a); keep == nil || keep(e) {
				byID[a.ID], ids = e, append(ids, a.ID)
			}
		}
	}
	return t.assignmentPage(r, byID, ids)
}

// principal finds an app by the object ID of its service principal.
func (t *Tenant) principal(id string) (App, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.apps {
		if strings.EqualFold(a.PrincipalID, id) {
			return a, true
		}
	}
	return App{}, false
}

// SetAppRoles replaces the roles that an app declares. Assignments of a role that goes away stay, and say nothing.
func (t *Tenant) SetAppRoles(clientID string, roles []AppRole) error {
	return t.changeApp(clientID, func(a *App) { a.AppRoles = slices.Clone(roles) })
}

func (t *Tenant) changeApp(clientID string, f func(*App)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	app, known := t.app(clientID)
	if !known {
		return notFound(clientID)
	}
	f(&app)
	t.apps[app.ClientID] = app
	t.dir.Seq++
	if t.dir.Apps == nil {
		t.dir.Apps = map[string]int64{}
	}
	t.dir.Apps[app.PrincipalID] = t.dir.Seq
	return nil
}

// patchPrincipal changes what of a service principal an administrator may change.
func (t *Tenant) patchPrincipal(r graphRequest, app App) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	var body map[string]json.RawMessage
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	required := app.AssignmentRequired
	for name, value := range body {
		if name != "appRoleAssignmentRequired" || json.Unmarshal(value, &required) != nil {
			return graphAnswer{}, badRequest("Invalid property '" + name + "'.")
		}
	}
	return graphAnswer{}, t.changeApp(app.ClientID, func(a *App) { a.AssignmentRequired = required })
}
