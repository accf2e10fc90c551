package entrasim

import (
	"net/http"
	"net/url"
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

// serveAdminConsent answers /{tenant}/adminconsent: an administrator gives an app everything that it says it needs. An app
// without a service principal gets one.
//
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
func (t *Tenant) serveAdminConsent(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if err := r.ParseForm(); err != nil {
		t.errorPage(w, r, &stsError{OAuth: "invalid_request", Code: 90013, Message: "Invalid input received from the user."})
		return
	}
	action := r.PostForm.Get("action")
	if action != "" && http.NewCrossOriginProtection().Check(r) != nil {
		http.Error(w, "This form may be sent from the tenant's own page only.", http.StatusForbidden)
		return
	}
	req, refused := t.adminRequest(r)
	if refused != nil {
		t.errorPage(w, r, refused)
		return
	}
	t.mu.Lock()
	var by signIn
	var wrong *stsError
	if action == "signin" {
		var user *userRow
		if user, wrong = t.checkPassword(r, req.Client); wrong == nil {
			by = t.startSession(w, r, user, nil)
		}
	} else if s := t.session(r); s != nil {
		if _, lost := t.standing(s.signIn); lost == nil {
			by = s.signIn
		}
	}
	admin := t.mayConsent(by.UserID)
	m, _ := read(manifestOf(req.Client))
	needs := t.permissionNames(m.RequiredResourceAccess)
	t.mu.Unlock()
	switch {
	case by.UserID == "":
		t.signInPage(w, r, req, wrong)
	case !admin:
		t.refusalPage(w, r, req, &stsError{OAuth: "access_denied", Code: 90094, Message: "The grant requires admin permission. Sign in with an administrator's account."})
	case action == "accept":
		t.acceptForAll(w, r, req)
	case action == "decline":
		t.answer(w, r, req, url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined to consent to access the app."}, "admin_consent": {"True"}, "tenant": {t.org.TenantID}})
	default:
		t.render(w, http.StatusOK, "consent.html", "", map[string]any{"App": req.Client.Name, "ClientID": req.Client.ClientID, "ForAll": true,
			"Action": r.URL.Path + "?" + authParams(r).Encode(), "Permissions": needs})
	}
}

func (t *Tenant) adminRequest(r *http.Request) (authRequest, *stsError) {
	t.mu.Lock()
	app, known := t.app(r.FormValue("client_id"))
	t.mu.Unlock()
	req := authRequest{Client: app, RedirectURI: r.FormValue("redirect_uri"), State: r.FormValue("state"), ResponseMode: "query"}
	switch {
	case !known:
		return req, t.unknownClient(r.FormValue("client_id"))
	case !app.returnsTo(req.RedirectURI):
		return req, &stsError{OAuth: "invalid_request", Code: 50011, Message: "The redirect URI '" + req.RedirectURI + "' specified in the request does not match " +
			"the redirect URIs configured for the application '" + app.ClientID + "'."}
	}
	return req, nil
}

func (t *Tenant) acceptForAll(w http.ResponseWriter, r *http.Request, req authRequest) {
	err := t.editApp(req.Client.ClientID, func(a *App) error {
		if a.PrincipalID == "" {
			a.PrincipalID, a.registered.PrincipalMade = newGUID(), t.now()
		}
		t.grantRequired(t.dir, *a, "", true)
		return nil
	})
	if err != nil {
		t.refusalPage(w, r, req, t.internal(err))
		return
	}
	t.answer(w, r, req, url.Values{"tenant": {t.org.TenantID}, "admin_consent": {"True"}})
}

// permissionNames are what the IDs of a registration's permissions are called. t.mu is held.
func (t *Tenant) permissionNames(needs []requiredAccess) (names []string) {
	for _, n := range needs {
		resource := t.apps[strings.ToLower(n.ResourceAppID)]
		for _, access := range n.ResourceAccess {
			for _, value := range resource.Scopes {
				if access.Type == "Scope" && strings.EqualFold(resource.scopeID(value), access.ID) {
					names = append(names, resource.Name+": "+value+", for the person who is signed in")
				}
			}
			for _, role := range resource.AppRoles {
				if access.Type == "Role" && strings.EqualFold(role.ID, access.ID) {
					names = append(names, resource.Name+": "+role.Value+", without a person")
				}
			}
		}
	}
	return names
}
