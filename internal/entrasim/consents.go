package entrasim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// consent says which delegated permissions an app has at a resource: for everybody, or for one person.
//
// https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant
type consent struct {
	ID          string
	ClientID    string // object ID of the service principal that was given them
	PrincipalID string // the user; empty: everybody
	ResourceID  string // object ID of the service principal whose they are
	Scope       string // separated by spaces
}

func (c consent) entity() entity {
	kind := "AllPrincipals"
	if c.PrincipalID != "" {
		kind = "Principal"
	}
	return entity{"id": c.ID, "clientId": c.ClientID, "consentType": kind, "principalId": orNull(c.PrincipalID), "resourceId": c.ResourceID, "scope": c.Scope}
}

// seed gives an app the permissions that the organisation says it has, once; what is taken from it later stays taken
// unless the organisation says otherwise.
func (t *Tenant) seed(a App) {
	said, err := json.Marshal([]any{a.GraphRoles, a.Consented, a.GraphScopes})
	if err != nil || a.PrincipalID == "" || t.dir.Seeded[a.PrincipalID] == hashed(string(said)) {
		return
	}
	if t.dir.Seeded == nil {
		t.dir.Seeded = map[string]string{}
	}
	t.dir.Seeded[a.PrincipalID] = hashed(string(said))
	for _, value := range a.GraphRoles {
		role := t.graphRole(value)
		id := hashed(a.PrincipalID + "/" + role)
		if list := t.dir.Assigned[graphPrincipalID]; !slices.ContainsFunc(list, func(a Assignment) bool { return a.ID == id }) {
			t.dir.Assigned[graphPrincipalID] = append(slices.Clone(list), Assignment{ID: id, PrincipalID: a.PrincipalID, AppRoleID: role, Created: sampleStart()})
		}
	}
	for _, id := range a.Consented {
		resource, known := t.apps[strings.ToLower(id)]
		if !known {
			continue
		}
		scopes := resource.Scopes
		if resource.ClientID == GraphAppID {
			scopes = slices.Concat(plainScopes(), a.GraphScopes)
		}
		slices.Sort(scopes)
		t.dir.grant(a.PrincipalID, "", resource.PrincipalID, slices.Compact(scopes))
	}
}

// graphRole is the ID of a permission at Microsoft Graph; one that is not in the table is added to Graph's roles.
func (t *Tenant) graphRole(value string) string {
	graph := t.apps[GraphAppID]
	if i := slices.IndexFunc(graph.AppRoles, func(r AppRole) bool { return r.Value == value }); i >= 0 {
		return graph.AppRoles[i].ID
	}
	graph.AppRoles = append(graph.AppRoles, AppRole{ID: guidOf(GraphAppID, value), Value: value, DisplayName: value, MemberTypes: []string{"Application"}})
	t.apps[GraphAppID] = graph
	return guidOf(GraphAppID, value)
}

// plainScopes are Graph's to which a person may consent.
func plainScopes() (names []string) {
	for _, p := range graphPermissions() {
		if p.Plain {
			names = append(names, p.Value)
		}
	}
	return names
}

// grant adds scopes to what an app was given at a resource, for a user or, without one, for everybody.
func (d *directory) grant(client, user, resource string, scopes []string) {
	d.Consents = slices.Clone(d.Consents)
	for i, c := range d.Consents {
		if c.ClientID == client && c.PrincipalID == user && c.ResourceID == resource {
			for _, s := range scopes {
				if !slices.Contains(strings.Fields(c.Scope), s) {
					c.Scope = strings.TrimSpace(c.Scope + " " + s)
				}
			}
			d.Consents[i] = c
			return
		}
	}
	d.Consents = append(d.Consents, consent{ID: hashed(client + "/" + user + "/" + resource), ClientID: client, PrincipalID: user, ResourceID: resource, Scope: strings.Join(scopes, " ")})
}

// consented are the delegated permissions that a client has at a resource, for everybody and, when user is not empty,
// for that user besides. An app has all of its own. t.mu is held.
func (t *Tenant) consented(client, resource App, user string) []string {
	if client.ClientID == resource.ClientID {
		return resource.Scopes
	}
	var all []string
	for _, c := range t.dir.Consents {
		if c.ClientID == client.PrincipalID && c.ResourceID == resource.PrincipalID && (c.PrincipalID == "" || c.PrincipalID == user) {
			all = append(all, strings.Fields(c.Scope)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// graphConsents answers /oauth2PermissionGrants.
func (t *Tenant) graphConsents(r graphRequest) (graphAnswer, error) {
	if len(r.path) == 1 {
		switch r.Method {
		case http.MethodGet:
			return t.listConsents(r, func(consent) bool { return true })
		case http.MethodPost:
			return t.addConsent(r)
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	t.mu.Lock()
	i := slices.IndexFunc(t.dir.Consents, func(c consent) bool { return c.ID == r.path[1] })
	var found consent
	if i >= 0 {
		found = t.dir.Consents[i]
	}
	t.mu.Unlock()
	switch {
	case i < 0:
		return graphAnswer{}, notFound(r.path[1])
	case r.Method == http.MethodGet:
		return t.oneEntity(r, "oauth2PermissionGrants", "oAuth2PermissionGrant", found.entity())
	case !r.may(consentWrite, DirectoryWrite):
		return graphAnswer{}, forbidden()
	case r.Method == http.MethodPatch:
		var body struct{ Scope *string }
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		if body.Scope == nil {
			return graphAnswer{}, badRequest("Only the scope of a permission grant can be changed.")
		}
		return graphAnswer{}, t.onConsent(found.ID, func(c *consent) { c.Scope = strings.TrimSpace(*body.Scope) })
	case r.Method == http.MethodDelete:
		return graphAnswer{}, t.onConsent(found.ID, nil)
	}
	return graphAnswer{}, notAllowed(r.Method)
}

// onConsent changes a consent, or, without f, takes it back.
func (t *Tenant) onConsent(id string, f func(*consent)) error {
	return t.change(func(d *directory) error {
		list := slices.Clone(d.Consents)
		i := slices.IndexFunc(list, func(c consent) bool { return c.ID == id })
		if i < 0 {
			return notFound(id)
		}
		if f == nil {
			list = slices.Delete(list, i, i+1)
		} else {
			f(&list[i])
		}
		d.Seq++
		d.Consents = list
		return nil
	})
}

func (t *Tenant) listConsents(r graphRequest, which func(consent) bool) (graphAnswer, error) {
	if !r.may("Directory.Read.All", "Application.Read.All", appWrite, consentWrite, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	byID := map[string]entity{}
	t.mu.Lock()
	for _, c := range t.dir.Consents {
		if which(c) {
			byID[c.ID] = c.entity()
		}
	}
	t.mu.Unlock()
	return t.entities(r, "oauth2PermissionGrants", "oAuth2PermissionGrant", byID)
}

func (t *Tenant) addConsent(r graphRequest) (graphAnswer, error) {
	var body struct{ ClientID, ConsentType, PrincipalID, ResourceID, Scope string }
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if !r.may(consentWrite, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	if body.ConsentType != "AllPrincipals" && body.ConsentType != "Principal" || (body.ConsentType == "Principal") == (body.PrincipalID == "") {
		return graphAnswer{}, badRequest("Invalid value specified for property 'consentType' or 'principalId' of resource 'OAuth2PermissionGrant'.")
	}
	var e entity
	err := t.change(func(d *directory) error {
		client, hasClient := t.byPrincipal(body.ClientID)
		resource, hasResource := t.byPrincipal(body.ResourceID)
		switch {
		case !hasClient || !t.replicated(client.registered.PrincipalMade):
			return notFound(body.ClientID)
		case !hasResource || !t.replicated(resource.registered.PrincipalMade):
			return notFound(body.ResourceID)
		case body.PrincipalID != "" && d.user(strings.ToLower(body.PrincipalID)) == nil:
			return notFound(body.PrincipalID)
		}
		user := strings.ToLower(body.PrincipalID)
		if slices.ContainsFunc(d.Consents, func(c consent) bool {
			return c.ClientID == client.PrincipalID && c.ResourceID == resource.PrincipalID && c.PrincipalID == user
		}) {
			return &graphError{Status: http.StatusConflict, Code: "Request_MultipleObjectsWithSameKeyValue", Message: "Permission entry already exists."}
		}
		d.Seq++
		d.grant(client.PrincipalID, user, resource.PrincipalID, strings.Fields(body.Scope))
		e = d.Consents[len(d.Consents)-1].entity()
		e["@odata.context"] = t.context("oauth2PermissionGrants", nil) + "/$entity"
		return nil
	})
	return graphAnswer{Status: http.StatusCreated, Body: e}, err
}

// graphOrganization answers /organization: the tenant itself.
func (t *Tenant) graphOrganization(r graphRequest) (graphAnswer, error) {
	if !r.may("Organization.Read.All", "Directory.Read.All", "User.Read.All", "Application.Read.All", appWrite, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	e := entity{"id": t.org.TenantID, "displayName": t.org.Name, "tenantType": "AAD", "createdDateTime": sampleStart().Format(graphTime),
		"verifiedDomains": []entity{{"name": t.org.Domain, "type": "Managed", "isDefault": true, "isInitial": true, "capabilities": "Email"}}}
	return t.entities(r, "organization", "organization", map[string]entity{t.org.TenantID: e})
}
