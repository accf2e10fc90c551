package entrasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// assignments lists who is assigned to the app, by assignment ID. Those of vanished principals are gone.
func (t *Tenant) assignments(r graphRequest, app App) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byID := map[string]entity{}
	var ids []string
	for _, a := range t.dir.Assigned[app.PrincipalID] {
		byID[a.ID] = t.assignmentEntity(app, a)
		ids = append(ids, a.ID)
	}
	return t.assignmentPage(r, byID, ids)
}

// assignmentPage is a page of assignments, by ID.
func (t *Tenant) assignmentPage(r graphRequest, byID map[string]entity, ids []string) (graphAnswer, error) {
	slices.Sort(ids)
	cut, next, err := t.page(r, ids)
	if err != nil {
		return graphAnswer{}, err
	}
	var value []entity
	for _, id := range cut {
		value = append(value, byID[id])
	}
	return t.collection(t.context("appRoleAssignments", nil), value, next), nil
}

// assignmentEntity is Graph's form of an assignment. t.mu is held.
func (t *Tenant) assignmentEntity(app App, a Assignment) entity {
	name, kind := "", "ServicePrincipal"
	if u := t.dir.user(a.PrincipalID); u != nil {
		name, kind = u.DisplayName, "User"
	} else if g := t.dir.group(a.PrincipalID); g != nil {
		name, kind = g.DisplayName, "Group"
	} else if other, found := t.byPrincipal(a.PrincipalID); found {
		name = other.Name
	}
	return entity{
		"id": a.ID, "deletedDateTime": nil, "appRoleId": a.AppRoleID, "createdDateTime": a.Created.UTC().Format(time.RFC3339),
		"principalDisplayName": name, "principalId": a.PrincipalID, "principalType": kind,
		"resourceDisplayName": app.Name, "resourceId": app.PrincipalID,
	}
}

// assignmentBody is an assignment as it is posted.
type assignmentBody struct{ PrincipalID, ResourceID, AppRoleID string }

// mayAssign reports whether the caller may give and take app roles of this app. What a person does with roles of
// Microsoft Graph takes more than administering apps.
func (r graphRequest) mayAssign(app App) bool {
	if r.UserID != "" && app.ClientID == GraphAppID && !slices.ContainsFunc(r.AdminRoles, func(role string) bool { return role == GlobalAdministrator || role == PrivilegedRoles }) {
		return false
	}
	return r.may(assignWrite, DirectoryWrite)
}

func (t *Tenant) assign(r graphRequest, app App, body assignmentBody) (graphAnswer, error) {
	if !r.mayAssign(app) {
		return graphAnswer{}, forbidden()
	}
	made := Assignment{ID: randomID(32), PrincipalID: strings.ToLower(body.PrincipalID), AppRoleID: strings.ToLower(body.AppRoleID), Created: t.now().UTC()}
	i := slices.IndexFunc(app.AppRoles, func(r AppRole) bool { return r.ID == made.AppRoleID && !r.Disabled })
	if i < 0 && made.AppRoleID != DefaultAccess || !strings.EqualFold(body.ResourceID, app.PrincipalID) {
		return graphAnswer{}, badRequest("Not a valid reference update: resourceId or appRoleId does not fit the service principal.")
	}
	var e entity
	err := t.change(func(d *directory) error {
		other, isApp := t.byPrincipal(made.PrincipalID)
		wants := "User"
		switch {
		case isApp && t.replicated(other.registered.PrincipalMade):
			wants = "Application"
		case d.kind(made.PrincipalID) == "":
			return notFound(body.PrincipalID)
		}
		if i >= 0 && !slices.Contains(app.AppRoles[i].memberTypes(), wants) {
			return badRequest("Permission being assigned was not found on application '" + app.ClientID + "' for members of the type " + wants + ".")
		}
		for _, a := range d.Assigned[app.PrincipalID] {
			if a.PrincipalID == made.PrincipalID && a.AppRoleID == made.AppRoleID {
				return badRequest("Permission being assigned already exists on the object")
			}
		}
		d.Seq++
		d.Assigned[app.PrincipalID] = append(slices.Clone(d.Assigned[app.PrincipalID]), made)
		e = t.assignmentEntity(app, made)
		e["@odata.context"] = t.context("servicePrincipals('"+app.PrincipalID+"')/appRoleAssignedTo", nil) + "/$entity"
		return nil
	})
	return graphAnswer{Status: http.StatusCreated, Body: e}, err
}

// byPrincipal finds an app by the object ID of its service principal. t.mu is held.
func (t *Tenant) byPrincipal(id string) (App, bool) {
	for _, a := range t.apps {
		if a.PrincipalID != "" && strings.EqualFold(a.PrincipalID, id) {
			return a, true
		}
	}
	return App{}, false
}

func (t *Tenant) deassign(r graphRequest, app App, id string) (graphAnswer, error) {
	if !r.mayAssign(app) {
		return graphAnswer{}, forbidden()
	}
	return graphAnswer{}, t.change(func(d *directory) error {
		list := d.Assigned[app.PrincipalID]
		rest := slices.DeleteFunc(slices.Clone(list), func(a Assignment) bool { return a.ID == id })
		if len(rest) == len(list) {
			return notFound(id)
		}
		d.Seq++
		d.Assigned[app.PrincipalID] = rest
		return nil
	})
}
