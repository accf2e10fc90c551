package entrasim

import (
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
		if !known {
			return graphAnswer{}, notFound(body.ResourceID)
		}
		if !strings.EqualFold(body.PrincipalID, principal) {
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
		if a.PrincipalID != "" && strings.EqualFold(a.PrincipalID, id) && t.replicated(a.registered.PrincipalMade) {
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
	return t.editApp(clientID, func(a *App) error {
		f(a)
		if m := a.registered.Manifest; m != nil { // what the app's fields say stands there once more
			m = cloned(m)
			m["appRoles"], m["displayName"] = plain(roleEntities(*a)), a.Name
			m["web"], _ = mergedValue(m["web"], entity{"redirectUris": plain(a.RedirectURIs), "logoutUrl": orNull(a.LogoutURL)}).(entity)
			a.registered.Manifest = cloned(m)
		}
		return nil
	})
}

// editApp runs f on an app; when f fails, the app stays as it was.
func (t *Tenant) editApp(clientID string, f func(*App) error) error {
	return t.change(func(d *directory) error {
		app, known := t.apps[strings.ToLower(clientID)]
		if !known {
			return notFound(clientID)
		}
		if err := f(&app); err != nil {
			return err
		}
		t.apps[app.ClientID] = app
		d.Seq++
		if d.Apps == nil {
			d.Apps = map[string]int64{}
		}
		if app.PrincipalID != "" {
			d.Apps[app.PrincipalID] = d.Seq
		}
		t.saveApps()
		return nil
	})
}
