package entrasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// graphServicePrincipals answers /servicePrincipals, by object ID or by (appId='…'), and the app
// role assignments below it: the groups assigned to an enterprise application.
func (t *Tenant) graphServicePrincipals(r graphRequest, key string) (graphAnswer, error) {
	if !r.may("Application.Read.All", "Directory.Read.All", DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	t.mu.Lock()
	apps := make([]App, 0, len(t.apps))
	for _, a := range t.apps {
		apps = append(apps, a)
	}
	t.mu.Unlock()
	slices.SortFunc(apps, func(a, b App) int { return strings.Compare(a.PrincipalID, b.PrincipalID) })
	rest := r.path[1:]
	if key == "" && len(rest) == 1 && (rest[0] == "delta" || rest[0] == "delta()") {
		return t.deltaPrincipals(r, apps)
	}
	if key == "" && len(rest) == 0 {
		keep, err := filterBy(r.URL.Query().Get("$filter"))
		if err != nil {
			return graphAnswer{}, err
		}
		var value []entity
		for _, a := range apps {
			if e := principalEntity(a); keep == nil || keep(e) {
				value = append(value, e)
			}
		}
		return t.collection(t.context("servicePrincipals", nil), value, ""), nil
	}
	name, wanted := "", strings.TrimSpace(key)
	if appID, ok := strings.CutPrefix(wanted, "appId="); ok {
		name = strings.Trim(appID, "'")
	} else if wanted == "" {
		name, rest = rest[0], rest[1:]
	}
	at := slices.IndexFunc(apps, func(a App) bool {
		if key != "" {
			return strings.EqualFold(a.ClientID, name)
		}
		return strings.EqualFold(a.PrincipalID, name)
	})
	if at < 0 {
		return graphAnswer{}, notFound(name)
	}
	app := apps[at]
	switch path := strings.Join(rest, "/"); {
	case path == "" && r.Method == http.MethodGet:
		e := principalEntity(app)
		e["@odata.context"] = t.context("servicePrincipals", nil) + "/$entity"
		return graphAnswer{Body: e}, nil
	case path == "" && r.Method == http.MethodPatch:
		return t.patchPrincipal(r, app)
	case path == "appRoleAssignments" && r.Method == http.MethodGet:
		return t.listAssignmentsOf(r, app.PrincipalID)
	case path == "appRoleAssignedTo" && r.Method == http.MethodGet:
		return t.assignments(r, app)
	case path == "appRoleAssignedTo" && r.Method == http.MethodPost:
		var body assignmentBody
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		return t.assign(r, app, body)
	case len(rest) == 2 && rest[0] == "appRoleAssignedTo" && r.Method == http.MethodDelete:
		return t.deassign(r, app, rest[1])
	}
	return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + strings.Join(rest, "/") + "'."}
}

func principalEntity(a App) entity {
	roles := []entity{}
	for _, r := range a.AppRoles {
		roles = append(roles, entity{"id": r.ID, "value": r.Value, "displayName": r.DisplayName, "description": r.DisplayName,
			"isEnabled": !r.Disabled, "allowedMemberTypes": []string{"User"}, "origin": "Application"})
	}
	scopes := []entity{}
	for _, s := range a.Scopes {
		scopes = append(scopes, entity{"id": assignmentID(a.PrincipalID+"/"+s, 0), "value": s, "isEnabled": true, "type": "User"})
	}
	return entity{
		"id": a.PrincipalID, "appId": a.ClientID, "displayName": a.Name, "appDisplayName": a.Name, "accountEnabled": true,
		"appRoleAssignmentRequired": a.AssignmentRequired, "appRoles": roles, "oauth2PermissionScopes": scopes,
		"servicePrincipalType": "Application", "servicePrincipalNames": append([]string{a.ClientID}, a.IdentifierURIs...),
		"signInAudience": "AzureADMyOrg", "deletedDateTime": nil, "homepage": nil, "logoutUrl": orNull(a.LogoutURL), "replyUrls": append([]string{}, a.RedirectURIs...),
		"tags": []string{}, "addIns": []string{}, "keyCredentials": []string{}, "passwordCredentials": []string{},
		"info": entity{"termsOfServiceUrl": nil, "supportUrl": nil, "privacyStatementUrl": nil, "marketingUrl": nil, "logoUrl": nil},
	}
}

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
	}
	return entity{
		"id": a.ID, "deletedDateTime": nil, "appRoleId": a.AppRoleID, "createdDateTime": a.Created.UTC().Format(time.RFC3339),
		"principalDisplayName": name, "principalId": a.PrincipalID, "principalType": kind,
		"resourceDisplayName": app.Name, "resourceId": app.PrincipalID,
	}
}

// assignmentBody is an assignment as it is posted.
type assignmentBody struct{ PrincipalID, ResourceID, AppRoleID string }

func (t *Tenant) assign(r graphRequest, app App, body assignmentBody) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	made := Assignment{ID: randomID(32), PrincipalID: strings.ToLower(body.PrincipalID), AppRoleID: strings.ToLower(body.AppRoleID), Created: t.now().UTC()}
	known := made.AppRoleID == DefaultAccess || slices.ContainsFunc(app.AppRoles, func(r AppRole) bool { return r.ID == made.AppRoleID && !r.Disabled })
	if !known || body.ResourceID != app.PrincipalID {
		return graphAnswer{}, badRequest("Not a valid reference update: resourceId or appRoleId does not fit the service principal.")
	}
	var e entity
	err := t.change(func(d *directory) error {
		if d.kind(made.PrincipalID) == "" {
			return notFound(body.PrincipalID)
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

func (t *Tenant) deassign(r graphRequest, app App, id string) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
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

// deltaPrincipals answers /servicePrincipals/delta: what an administrator changed of them, on one page. Assignments are
// no part of it, as at Graph.
func (t *Tenant) deltaPrincipals(r graphRequest, apps []App) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, err := t.deltaStart(r, "servicePrincipals")
	if err != nil {
		return graphAnswer{}, err
	}
	value := []entity{}
	for _, a := range apps {
		if token.Since > 0 && t.dir.Apps[a.PrincipalID] <= token.Since {
			continue
		}
		e := principalEntity(a)
		e["appOwnerOrganizationId"] = t.org.TenantID
		if len(token.Select) > 0 {
			e = projected(e, token.Select)
		}
		value = append(value, e)
	}
	return graphAnswer{Body: entity{"@odata.context": t.context("servicePrincipals", token.Select), "value": value, "@odata.deltaLink": t.deltaLink(token)}}, nil
}
