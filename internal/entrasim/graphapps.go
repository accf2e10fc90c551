package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

// graphServicePrincipals answers /servicePrincipals, by object ID or by (appId='…'), and what lies below one: who is
// assigned to it, what it is assigned, what it was consented to, and its provisioning.
func (t *Tenant) graphServicePrincipals(r graphRequest, key string) (graphAnswer, error) {
	if !r.may("Application.Read.All", "Directory.Read.All", appWrite, appWriteOwned, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	rest := r.path[1:]
	if key == "" && len(rest) == 1 && (rest[0] == "delta" || rest[0] == "delta()") {
		return t.deltaPrincipals(r, t.principals())
	}
	if key == "" && len(rest) == 0 {
		switch r.Method {
		case http.MethodGet:
			byID := map[string]entity{}
			for _, a := range t.principals() {
				byID[a.PrincipalID] = t.principalEntity(a)
			}
			return t.entities(r, "servicePrincipals", "servicePrincipal", byID)
		case http.MethodPost:
			return t.addPrincipal(r)
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	name, wanted := "", strings.TrimSpace(key)
	if appID, ok := strings.CutPrefix(wanted, "appId="); ok {
		name = strings.Trim(appID, "'")
	} else if wanted == "" {
		name, rest = rest[0], rest[1:]
	}
	apps := t.principals()
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
	if len(rest) > 0 && rest[0] == "synchronization" {
		return t.graphSynchronization(r, app, rest[1:])
	}
	switch path := strings.Join(rest, "/"); {
	case path == "" && r.Method == http.MethodGet:
		return t.oneEntity(r, "servicePrincipals", "servicePrincipal", t.principalEntity(app))
	case path == "" && r.Method == http.MethodPatch:
		return t.patchPrincipal(r, app)
	case path == "" && r.Method == http.MethodDelete:
		return t.deletePrincipal(r, app)
	case path == "oauth2PermissionGrants" && r.Method == http.MethodGet:
		return t.listConsents(r, func(c consent) bool { return c.ClientID == app.PrincipalID })
	case path == "appRoleAssignments" || len(rest) == 2 && rest[0] == "appRoleAssignments":
		return t.assignmentsOf(r, app.PrincipalID, rest[1:])
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
	return graphAnswer{}, noSegment(strings.Join(rest, "/"))
}

// principals are the apps whose service principal everybody sees, by its object ID.
func (t *Tenant) principals() []App {
	t.mu.Lock()
	defer t.mu.Unlock()
	var apps []App
	for _, a := range t.apps {
		if a.PrincipalID != "" && t.replicated(a.registered.PrincipalMade) {
			apps = append(apps, a)
		}
	}
	slices.SortFunc(apps, func(a, b App) int { return strings.Compare(a.PrincipalID, b.PrincipalID) })
	return apps
}

func (t *Tenant) principalEntity(a App) entity {
	owner := t.org.TenantID
	if a.Foreign {
		owner = microsoftTenantID
	}
	m, _ := read(manifestOf(a))
	made := a.registered.PrincipalMade
	if made.IsZero() {
		made = sampleStart()
	}
	e := entity{
		"id": a.PrincipalID, "appId": a.ClientID, "displayName": a.Name, "appDisplayName": a.Name, "accountEnabled": !a.Disabled,
		"appRoleAssignmentRequired": a.AssignmentRequired, "appRoles": roleEntities(a), "oauth2PermissionScopes": scopeEntities(a),
		"servicePrincipalType": "Application", "servicePrincipalNames": append([]string{a.ClientID}, a.IdentifierURIs...),
		"signInAudience": or(m.SignInAudience, "AzureADMyOrg"), "deletedDateTime": nil, "homepage": orNull(m.Web.HomePageURL),
		"logoutUrl": orNull(a.LogoutURL), "replyUrls": append(append([]string{}, a.RedirectURIs...), a.NativeURIs...),
		"tags": []string{}, "addIns": []string{}, "keyCredentials": []string{}, "passwordCredentials": []string{}, "notes": nil, "description": nil,
		"loginUrl": nil, "preferredSingleSignOnMode": nil, "notificationEmailAddresses": []string{}, "createdDateTime": made.UTC().Format(graphTime),
		"applicationTemplateId": orNull(a.registered.Template), "appOwnerOrganizationId": owner, "publisherName": t.org.Name,
		"info": entity{"termsOfServiceUrl": nil, "supportUrl": nil, "privacyStatementUrl": nil, "marketingUrl": nil, "logoUrl": nil},
	}
	for name, value := range a.registered.Principal {
		e[name] = value
	}
	return e
}

// addPrincipal makes the service principal of an application object.
func (t *Tenant) addPrincipal(r graphRequest) (graphAnswer, error) {
	said := entity{}
	if err := r.body(&said); err != nil {
		return graphAnswer{}, err
	}
	appID, _ := said["appId"].(string)
	delete(said, "appId")
	t.mu.Lock()
	app, known := t.apps[strings.ToLower(appID)]
	known = known && t.replicated(app.registered.Made)
	t.mu.Unlock()
	switch {
	case !r.mayRegister(nil):
		return graphAnswer{}, forbidden()
	case !known:
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "NoBackingApplicationObject",
			Message: "The appId '" + appID + "' of the service principal does not reference a valid application object."}
	case !r.mayRegister(&app):
		return graphAnswer{}, forbidden()
	}
	err := t.editApp(app.ClientID, func(a *App) error {
		if a.PrincipalID != "" {
			return &graphError{Status: http.StatusConflict, Code: "Request_MultipleObjectsWithSameKeyValue",
				Message: "The service principal cannot be created, updated, or restored because the service principal name " + a.ClientID + " is already in use."}
		}
		a.PrincipalID, a.registered.PrincipalMade = newGUID(), t.now()
		if err := a.writePrincipal(said); err != nil {
			return err
		}
		app = *a
		return nil
	})
	if err != nil {
		return graphAnswer{}, err
	}
	e := t.principalEntity(app)
	e["@odata.context"] = t.context("servicePrincipals", nil) + "/$entity"
	return graphAnswer{Status: http.StatusCreated, Body: e}, nil
}

// writePrincipal changes what of a service principal may be changed.
func (a *App) writePrincipal(said entity) error {
	kept := cloned(a.registered.Principal)
	for name, value := range said {
		var fits bool
		switch name {
		case "appRoleAssignmentRequired":
			a.AssignmentRequired, fits = value.(bool)
		case "accountEnabled":
			var enabled bool
			enabled, fits = value.(bool)
			a.Disabled = !enabled
		case "tags", "notes", "description", "homepage", "loginUrl", "preferredSingleSignOnMode", "notificationEmailAddresses", "alternativeNames":
			kept[name], fits = value, true
		}
		if !fits {
			return badRequest("Invalid property '" + name + "'.")
		}
	}
	a.registered.Principal = kept
	return nil
}

// patchPrincipal changes what of a service principal an administrator may change.
func (t *Tenant) patchPrincipal(r graphRequest, app App) (graphAnswer, error) {
	if !r.mayRegister(&app) {
		return graphAnswer{}, forbidden()
	}
	said := entity{}
	if err := r.body(&said); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.editApp(app.ClientID, func(a *App) error { return a.writePrincipal(said) })
}

// deletePrincipal takes the enterprise application away; the application object stays.
func (t *Tenant) deletePrincipal(r graphRequest, app App) (graphAnswer, error) {
	if !r.mayRegister(&app) || app.ClientID == GraphAppID {
		return graphAnswer{}, forbidden()
	}
	return graphAnswer{}, t.change(func(d *directory) error {
		a := t.apps[app.ClientID]
		d.forgetPrincipal(a.PrincipalID)
		a.PrincipalID, a.registered.Principal, a.AssignmentRequired, a.Disabled = "", nil, false, false
		t.apps[a.ClientID] = a
		d.Seq++
		t.saveApps()
		return nil
	})
}

// forgetPrincipal takes back everything that a service principal gave or was given.
func (d *directory) forgetPrincipal(id string) {
	if id == "" {
		return
	}
	delete(d.Assigned, id)
	d.unassign(id)
	d.Consents = slices.DeleteFunc(slices.Clone(d.Consents), func(c consent) bool { return c.ClientID == id || c.ResourceID == id })
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
		e := t.principalEntity(a)
		if len(token.Select) > 0 {
			e = projected(e, token.Select)
		}
		value = append(value, e)
	}
	return graphAnswer{Body: entity{"@odata.context": t.context("servicePrincipals", token.Select), "value": value, "@odata.deltaLink": t.deltaLink(token)}}, nil
}
