package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

// scopes is a parsed scope parameter: OpenID's own and those of one resource.
type scopes struct {
	OpenID, Profile, Email, Offline bool
	Resource                        App
	Chosen                          bool     // the request names a resource
	Names                           []string // permissions at Resource, granted
	Granted                         string   // as the token response says it
}

// parseScopes reads the scope parameter of a token request for a user (by object ID): nothing is granted that the
// client was not consented to. t.mu is held.
func (t *Tenant) parseScopes(param string, client App, user string) (scopes, *stsError) {
	s, refused := t.readScopes(param, client, user)
	if refused == nil && len(t.unconsented(s, client, user)) > 0 {
		refused = errConsent(client)
	}
	return s, refused
}

func errConsent(client App) *stsError {
	return &stsError{OAuth: "invalid_grant", Sub: "consent_required", Code: 65001, Message: "The user or administrator has not consented " +
		"to use the application with ID '" + client.ClientID + "' named '" + client.Name + "'. Send an interactive authorization request for this user and resource."}
}

// unconsented are the scopes that nobody has consented to for this user. t.mu is held.
func (t *Tenant) unconsented(s scopes, client App, user string) []string {
	if !s.Chosen || client.ClientID == s.Resource.ClientID {
		return nil
	}
	has := t.consented(client, s.Resource, user)
	if len(s.Names) == 0 && len(has) == 0 { // .default of an app that was given nothing
		return []string{".default"}
	}
	return slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return slices.Contains(has, name) })
}

// readScopes reads a user's scope parameter as the v2.0 endpoint does: resource scopes are
// {resource}/{permission}, a bare permission is Microsoft Graph's, and all must be of one resource.
// t.mu is held.
func (t *Tenant) readScopes(param string, client App, user string) (scopes, *stsError) {
	s := scopes{Resource: t.apps[GraphAppID]}
	var granted []string
	for _, word := range strings.Fields(param) {
		switch word {
		case "openid":
			s.OpenID = true
			continue
		case "profile":
			s.Profile = true
			continue
		case "email":
			s.Email = true
			continue
		case "offline_access":
			s.Offline = true
			continue
		}
		name, permission := "", word
		resource := t.apps[GraphAppID]
		if slash := strings.LastIndex(word, "/"); slash >= 0 {
			name, permission = word[:slash], word[slash+1:]
			found, ok := t.resource(name)
			if !ok {
				return s, t.unknownResource(name)
			}
			resource = found
		}
		if s.Chosen && resource.ClientID != s.Resource.ClientID {
			return s, &stsError{OAuth: "invalid_scope", Code: 28000, Message: "The provided value for the input parameter scope is not valid " +
				"because it contains more than one resource. Scope " + param + " is not valid."}
		}
		s.Resource, s.Chosen = resource, true
		if err := s.add(permission, t.consented(client, resource, user)); err != nil {
			err.Message += " The scope " + param + " is not valid."
			return s, err
		}
		granted = append(granted, word)
	}
	if !s.Chosen {
		s.Names = []string{"openid", "profile", "User.Read", "email"}
	}
	for _, own := range []struct {
		asked bool
		name  string
	}{{s.OpenID, "openid"}, {s.Profile, "profile"}, {s.Email, "email"}} {
		if own.asked {
			granted = append(granted, own.name)
		}
	}
	s.Granted = strings.Join(granted, " ")
	return s, nil
}

// add takes a permission of the resource; .default stands for those that the client was given.
func (s *scopes) add(permission string, given []string) *stsError {
	if permission == ".default" {
		s.Names = slices.Clone(given)
		return nil
	}
	if !slices.Contains(s.Resource.Scopes, permission) {
		return &stsError{OAuth: "invalid_scope", Code: 70011, Message: "The provided value for the input parameter 'scope' is not valid."}
	}
	s.Names = append(s.Names, permission)
	return nil
}

func (t *Tenant) unknownResource(name string) *stsError {
	return &stsError{Status: http.StatusBadRequest, OAuth: "invalid_resource", Code: 500011, Message: "The resource principal named " + name +
		" was not found in the tenant named " + t.org.Name + ". This can happen if the application has not been installed by the " +
		"administrator of the tenant or consented to by any user in the tenant."}
}

// appScope reads the scope of a client_credentials request: one resource's .default. t.mu is held.
func (t *Tenant) appScope(param string) (App, *stsError) {
	words := slices.DeleteFunc(strings.Fields(param), func(word string) bool {
		return slices.Contains([]string{"openid", "profile", "offline_access"}, word) // Microsoft's libraries send them always
	})
	name, ok := strings.CutSuffix(strings.Join(words, " "), "/.default")
	if !ok || len(words) != 1 {
		return App{}, &stsError{OAuth: "invalid_scope", Code: 1002012, Message: "The provided value for scope " + param +
			" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."}
	}
	resource, known := t.resource(name)
	if !known {
		return App{}, t.unknownResource(name)
	}
	return resource, nil
}

// withOpenID adds what a token request asks for of OpenID's own scopes to those of its code: MSAL for Go does not name
// them before.
func withOpenID(scope, asked string) string {
	for _, word := range strings.Fields(asked) {
		if slices.Contains([]string{"openid", "profile", "offline_access"}, word) {
			scope += " " + word
		}
	}
	return scope
}
