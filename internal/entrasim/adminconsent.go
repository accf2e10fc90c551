package entrasim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

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
	m, _ := read(manifestOf(req.Client)) // it was read before
	admin := t.mayConsent(by.UserID) && (t.mayGrantRoles(by.UserID) || !needsGraphRoles(m.RequiredResourceAccess))
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

// mayGrantRoles reports whether a person may give application permissions of Microsoft Graph. t.mu is held.
func (t *Tenant) mayGrantRoles(user string) bool {
	u := t.dir.user(user)
	return u != nil && (slices.Contains(u.Roles, GlobalAdministrator) || slices.Contains(u.Roles, PrivilegedRoles))
}

func needsGraphRoles(needs []requiredAccess) bool {
	return slices.ContainsFunc(needs, func(n requiredAccess) bool {
		return strings.EqualFold(n.ResourceAppID, GraphAppID) && slices.ContainsFunc(n.ResourceAccess, func(a struct{ ID, Type string }) bool { return a.Type == "Role" })
	})
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
