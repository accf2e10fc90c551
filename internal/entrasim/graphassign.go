package entrasim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

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
