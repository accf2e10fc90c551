package entrasim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// registration is what of an app was written through Graph or the portal.
type registration struct {
	Manifest      entity    // the application object; nil: it is made of the app's fields
	Principal     entity    // properties of the service principal that were written
	Own           bool      // the app itself was made so, and is kept over a restart
	Made          time.Time // the application object; zero: it was there from the start
	PrincipalMade time.Time
	Owner         string // object ID of whoever made it
	Template      string // application template that it was made of
	Sync          synchronization
}

// manifest is what of an application object has a meaning here.
//
// https://learn.microsoft.com/graph/api/resources/application
type manifest struct {
	DisplayName            string
	UniqueName             string
	SignInAudience         string
	GroupMembershipClaims  string
	IdentifierURIs         []string
	IsFallbackPublicClient bool
	Web                    struct {
		RedirectURIs []string
		LogoutURL    string
		HomePageURL  string
	}
	PublicClient, SPA struct{ RedirectURIs []string }
	API               struct {
		RequestedAccessTokenVersion int
		Oauth2PermissionScopes      []declaredScope
	}
	AppRoles               []declaredRole
	OptionalClaims         struct{ IDToken, AccessToken []struct{ Name string } }
	KeyCredentials         []keyCredential
	RequiredResourceAccess []requiredAccess
}

type declaredScope struct {
	ID, Value, Type                                  string
	AdminConsentDisplayName, AdminConsentDescription string
	IsEnabled                                        bool
}

type declaredRole struct {
	ID, Value, DisplayName, Description string
	AllowedMemberTypes                  []string
	IsEnabled                           bool
}

type keyCredential struct {
	KeyID, Type, Usage, Key, DisplayName string
}

// requiredAccess is what an app says it needs of a resource: IDs of its scopes and app roles.
type requiredAccess struct {
	ResourceAppID  string
	ResourceAccess []struct{ ID, Type string } // Scope or Role
}

// newManifest is an application object as Graph makes it of nothing but a name.
func newManifest() entity {
	return entity{
		"displayName": nil, "uniqueName": nil, "applicationTemplateId": nil, "disabledByMicrosoftStatus": nil, "description": nil,
		"groupMembershipClaims": nil, "identifierUris": []any{}, "isDeviceOnlyAuthSupported": nil, "isFallbackPublicClient": nil, "notes": nil,
		"serviceManagementReference": nil, "signInAudience": "AzureADandPersonalMicrosoftAccount", "tags": []any{}, "tokenEncryptionKeyId": nil,
		"defaultRedirectUri": nil, "samlMetadataUrl": nil, "certification": nil, "optionalClaims": nil, "addIns": []any{},
		"api": entity{"acceptMappedClaims": nil, "knownClientApplications": []any{}, "requestedAccessTokenVersion": nil,
			"oauth2PermissionScopes": []any{}, "preAuthorizedApplications": []any{}},
		"appRoles": []any{}, "keyCredentials": []any{},
		"info":                              entity{"logoUrl": nil, "marketingUrl": nil, "privacyStatementUrl": nil, "supportUrl": nil, "termsOfServiceUrl": nil},
		"parentalControlSettings":           entity{"countriesBlockedForMinors": []any{}, "legalAgeGroupRule": "Allow"},
		"publicClient":                      entity{"redirectUris": []any{}},
		"requiredResourceAccess":            []any{},
		"servicePrincipalLockConfiguration": nil,
		"verifiedPublisher":                 entity{"displayName": nil, "verifiedPublisherId": nil, "addedDateTime": nil},
		"web": entity{"homePageUrl": nil, "logoutUrl": nil, "redirectUris": []any{},
			"implicitGrantSettings": entity{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false}},
		"spa": entity{"redirectUris": []any{}},
	}
}

// manifestOf is the application object of an app; it shares nothing with the app.
func manifestOf(a App) entity {
	if a.registered.Manifest != nil {
		return cloned(a.registered.Manifest)
	}
	m := newManifest()
	m["displayName"], m["signInAudience"], m["identifierUris"] = a.Name, "AzureADMyOrg", plain(a.IdentifierURIs)
	m["groupMembershipClaims"] = orNull(a.GroupMembershipClaims)
	if a.Public {
		m["isFallbackPublicClient"] = true
	}
	web, api := m["web"].(entity), m["api"].(entity)
	web["redirectUris"], web["logoutUrl"] = plain(a.RedirectURIs), orNull(a.LogoutURL)
	m["publicClient"] = entity{"redirectUris": plain(a.NativeURIs)}
	api["requestedAccessTokenVersion"] = 2
	api["oauth2PermissionScopes"] = plain(scopeEntities(a))
	m["appRoles"] = plain(roleEntities(a))
	if claims := plain(a.OptionalClaims); len(claims) > 0 {
		var list []any
		for _, name := range claims {
			list = append(list, entity{"name": name, "source": nil, "essential": false, "additionalProperties": []any{}})
		}
		m["optionalClaims"] = entity{"idToken": list, "accessToken": list, "saml2Token": []any{}}
	}
	var keys []any
	for _, der := range a.Certificates {
		if k, err := keyEntity(entity{}, der); err == nil {
			keys = append(keys, k)
		}
	}
	m["keyCredentials"] = append([]any{}, keys...)
	m["requiredResourceAccess"] = plain(requiredOf(a))
	return cloned(m)
}

// requiredOf is what a sample app says it needs of Microsoft Graph.
func requiredOf(a App) []entity {
	var access []entity
	for _, p := range graphPermissions() {
		if slices.Contains(a.GraphRoles, p.Value) && p.Role != "" {
			access = append(access, entity{"id": p.Role, "type": "Role"})
		}
		if slices.Contains(a.Consented, GraphAppID) && p.Value == "User.Read" || slices.Contains(a.GraphScopes, p.Value) {
			access = append(access, entity{"id": p.Scope, "type": "Scope"})
		}
	}
	if access == nil {
		return nil
	}
	return []entity{{"resourceAppId": GraphAppID, "resourceAccess": access}}
}

func scopeEntities(a App) []entity {
	list := []entity{}
	for _, s := range a.Scopes {
		kind := "User"
		if p, known := graphPermission(s); a.ClientID == GraphAppID && known && !p.Plain {
			kind = "Admin"
		}
		list = append(list, entity{"id": a.scopeID(s), "value": s, "isEnabled": true, "type": kind, "adminConsentDisplayName": s,
			"adminConsentDescription": s, "userConsentDisplayName": nil, "userConsentDescription": nil})
	}
	return list
}

func roleEntities(a App) []entity {
	list := []entity{}
	for _, r := range a.AppRoles {
		list = append(list, entity{"id": r.ID, "value": orNull(r.Value), "displayName": r.DisplayName, "description": or(r.Description, r.DisplayName),
			"isEnabled": !r.Disabled, "allowedMemberTypes": r.memberTypes(), "origin": "Application"})
	}
	return list
}

func (r AppRole) memberTypes() []string {
	if len(r.MemberTypes) == 0 {
		return []string{"User"}
	}
	return r.MemberTypes
}

func (a App) scopeID(value string) string {
	return or(a.ScopeIDs[value], guidOf(a.ClientID, "scope", value))
}

func (a App) objectID() string {
	switch {
	case a.Foreign:
		return ""
	case a.ObjectID != "":
		return a.ObjectID
	}
	return guidOf(a.ClientID, "application")
}

func graphPermission(value string) (permission, bool) {
	all := graphPermissions()
	i := slices.IndexFunc(all, func(p permission) bool { return p.Value == value })
	if i < 0 {
		return permission{}, false
	}
	return all[i], true
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// plain is a list in the form that JSON decodes to.
func plain[E any](list []E) []any {
	out := []any{}
	for _, e := range list {
		out = append(out, e)
	}
	return out
}

// cloned is the same object once more, as JSON decodes it.
func cloned(e entity) entity {
	if e == nil {
		return entity{}
	}
	data, err := json.Marshal(e)
	out := entity{}
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return maps.Clone(e) // it was decoded from JSON
	}
	return out
}

// read decodes the manifest; a value of the wrong kind is an error.
func read(e entity) (m manifest, err error) {
	data, err := json.Marshal(e)
	if err != nil {
		return m, err
	}
	return m, json.NewDecoder(bytes.NewReader(data)).Decode(&m)
}

// apply makes the app behave as its manifest says.
func (a *App) apply(e entity, m manifest) {
	a.registered.Manifest = e
	a.Name, a.GroupMembershipClaims, a.IdentifierURIs, a.Public = m.DisplayName, m.GroupMembershipClaims, m.IdentifierURIs, m.IsFallbackPublicClient
	a.RedirectURIs, a.LogoutURL = m.Web.RedirectURIs, m.Web.LogoutURL
	a.NativeURIs = slices.Concat(m.PublicClient.RedirectURIs, m.SPA.RedirectURIs)
	a.Scopes, a.ScopeIDs = nil, map[string]string{}
	for _, s := range m.API.Oauth2PermissionScopes {
		if s.IsEnabled {
			a.Scopes, a.ScopeIDs[s.Value] = append(a.Scopes, s.Value), s.ID
		}
	}
	a.AppRoles = nil
	for _, r := range m.AppRoles {
		a.AppRoles = append(a.AppRoles, AppRole{ID: r.ID, Value: r.Value, DisplayName: r.DisplayName, Description: r.Description,
			MemberTypes: r.AllowedMemberTypes, Disabled: !r.IsEnabled})
	}
	a.OptionalClaims, a.AccessClaims = []string{}, []string{}
	for _, c := range m.OptionalClaims.IDToken {
		a.OptionalClaims = append(a.OptionalClaims, c.Name)
	}
	for _, c := range m.OptionalClaims.AccessToken {
		a.AccessClaims = append(a.AccessClaims, c.Name)
	}
	a.Certificates = nil
	for _, k := range m.KeyCredentials {
		if der, err := decodeKey(k.Key); err == nil {
			a.Certificates = append(a.Certificates, der)
		}
	}
}
