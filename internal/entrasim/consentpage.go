package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

// lacksConsent are the delegated permissions that a person would have to consent to before the app gets tokens. Apps of
// the sample organisation came with consent to sign people in. t.mu is held.
func (t *Tenant) lacksConsent(s scopes, client App, user string) []string {
	lacks := t.unconsented(s, client, user)
	if !client.registered.Own {
		return lacks
	}
	if len(t.consented(client, t.apps[GraphAppID], user)) > 0 {
		return lacks // to sign in goes with any other
	}
	for _, own := range []struct {
		asked bool
		name  string
	}{{s.OpenID, "openid"}, {s.Profile, "profile"}, {s.Email, "email"}, {s.Offline, "offline_access"}} {
		if own.asked && !slices.Contains(lacks, own.name) {
			lacks = append(lacks, own.name)
		}
	}
	return lacks
}

// forAdmins reports whether one of these permissions takes an administrator's consent. t.mu is held.
func (t *Tenant) forAdmins(resource App, names []string) bool {
	return resource.ClientID == GraphAppID && slices.ContainsFunc(names, func(name string) bool {
		p, known := graphPermission(name)
		return !known || !p.Plain
	})
}

// mayConsent reports whether a person may consent for everybody. t.mu is held.
func (t *Tenant) mayConsent(user string) bool {
	u := t.dir.user(user)
	return u != nil && slices.ContainsFunc(u.Roles, func(role string) bool {
		return slices.Contains([]string{GlobalAdministrator, PrivilegedRoles, ApplicationAdministrator, CloudAppAdministrator}, role)
	})
}

func (t *Tenant) consentPage(w http.ResponseWriter, r *http.Request, req authRequest, s signIn, scopes scopes, lacks []string) {
	t.mu.Lock()
	admin, needsAdmin := t.mayConsent(s.UserID), t.forAdmins(scopes.Resource, lacks) || slices.Contains(lacks, ".default")
	t.mu.Unlock()
	if needsAdmin && !admin {
		t.turnAway(w, r, req, s, &stsError{OAuth: "access_denied", Code: 90094, Message: "The grant requires admin permission: " + req.Client.Name +
			" needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it."})
		return
	}
	query := authParams(r)
	t.render(w, http.StatusOK, "consent.html", "", map[string]any{
		"App": req.Client.Name, "ClientID": req.Client.ClientID, "Action": r.URL.Path + "?" + query.Encode(), "Permissions": lacks, "Resource": scopes.Resource.Name, "Admin": admin,
	})
}

// serveConsent takes what the person answered.
func (t *Tenant) serveConsent(w http.ResponseWriter, r *http.Request, req authRequest, s signIn) {
	if r.PostForm.Get("action") == "decline" {
		t.refuse(w, r, req, &stsError{OAuth: "access_denied", Code: 65004, Message: "User declined to consent to access the app."})
		return
	}
	err := t.change(func(d *directory) error {
		scopes, refused := t.readScopes(req.Scope, req.Client, s.UserID)
		if refused != nil {
			return refused
		}
		lacks, everybody := t.lacksConsent(scopes, req.Client, s.UserID), r.PostForm.Get("everybody") != ""
		if (everybody || t.forAdmins(scopes.Resource, lacks)) && !t.mayConsent(s.UserID) {
			return forbidden()
		}
		user := s.UserID
		if everybody {
			user = ""
		}
		var own, others []string
		for _, name := range lacks {
			if slices.Contains(plainScopes(), name) {
				own = append(own, name)
			} else if name != ".default" {
				others = append(others, name)
			}
		}
		if slices.Contains(lacks, ".default") {
			t.grantRequired(d, req.Client, user, false)
		}
		if len(own) > 0 {
			d.grant(req.Client.PrincipalID, user, graphPrincipalID, own)
		}
		if len(others) > 0 {
			d.grant(req.Client.PrincipalID, user, scopes.Resource.PrincipalID, others)
		}
		d.Seq++
		return nil
	})
	if err != nil {
		t.refusalPage(w, r, req, &stsError{OAuth: "access_denied", Code: 90094, Message: "The consent was not given: " + err.Error()})
		return
	}
	req.Prompt = ""
	t.goOn(w, r, req, s)
}

// grantRequired gives an app what its registration says it needs: delegated permissions for a user or, without one, for
// everybody, and application permissions when apps is set. t.mu is held.
func (t *Tenant) grantRequired(d *directory, app App, user string, apps bool) {
	m, _ := read(manifestOf(app)) // it was read before
	for _, needs := range m.RequiredResourceAccess {
		resource, known := t.apps[strings.ToLower(needs.ResourceAppID)]
		if !known {
			continue
		}
		var scopes []string
		for _, access := range needs.ResourceAccess {
			if access.Type == "Scope" {
				for _, value := range resource.Scopes {
					if strings.EqualFold(resource.scopeID(value), access.ID) {
						scopes = append(scopes, value)
					}
				}
				continue
			}
			role := strings.ToLower(access.ID)
			there := slices.ContainsFunc(d.Assigned[resource.PrincipalID], func(a Assignment) bool { return a.PrincipalID == app.PrincipalID && a.AppRoleID == role })
			if apps && !there && slices.ContainsFunc(resource.AppRoles, func(r AppRole) bool { return strings.EqualFold(r.ID, role) && !r.Disabled }) {
				d.Assigned[resource.PrincipalID] = append(slices.Clone(d.Assigned[resource.PrincipalID]),
					Assignment{ID: randomID(32), PrincipalID: app.PrincipalID, AppRoleID: role, Created: t.now().UTC()})
			}
		}
		if len(scopes) > 0 {
			d.grant(app.PrincipalID, user, resource.PrincipalID, scopes)
		}
	}
}
