package entrasim

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"time"
)

type registeredOnPage struct {
	ClientID, PrincipalID, Name, Redirects, LogoutURL, Claims, Kind string
	Foreign, Own, Public, Disabled, Required                        bool
	Secrets                                                         []secretOnPage
	Certificates                                                    []string
	Federated                                                       []FederatedCredential
	Given                                                           []permissionOnPage
	Asked                                                           []string // what the registration says it needs
	Provisioning                                                    Provisioning
	Run                                                             ProvisioningRun
}

type secretOnPage struct {
	KeyID, Name, Value, Until string
	Over                      bool
}

// permissionOnPage is an application permission (its ID that of the assignment) or a consent.
type permissionOnPage struct{ ID, Words, Kind string }

// appsPage shows the registrations: what proves them, where they return to, and what they were given.
func (t *Tenant) appsPage() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	var shown []registeredOnPage
	for _, a := range t.apps {
		if a.ClientID == GraphAppID {
			continue
		}
		m, _ := read(manifestOf(a)) // it was read before
		one := registeredOnPage{ClientID: a.ClientID, PrincipalID: a.PrincipalID, Name: a.Name, Redirects: strings.Join(slices.Concat(a.RedirectURIs, a.NativeURIs), " "),
			LogoutURL: a.LogoutURL, Claims: strings.Join(a.OptionalClaims, " "), Foreign: a.Foreign, Own: a.registered.Own, Public: a.Public, Disabled: a.Disabled,
			Required: a.AssignmentRequired, Federated: a.Federated, Asked: t.permissionNames(m.RequiredResourceAccess)}
		if !a.Foreign {
			for _, s := range a.secrets() {
				one.Secrets = append(one.Secrets, secretOnPage{s.KeyID, s.Name, s.Value, s.End.UTC().Format(time.DateOnly), !t.now().Before(s.End)})
			}
		}
		for _, der := range a.Certificates {
			if cert, err := x509.ParseCertificate(der); err == nil {
				one.Certificates = append(one.Certificates, cert.Subject.String()+", until "+cert.NotAfter.UTC().Format(time.DateOnly))
			}
		}
		one.Given = t.givenTo(a)
		s := a.registered.Sync
		one.Provisioning, one.Run = Provisioning{TenantURL: s.Address, Running: s.Running, ObjectID: s.ObjectID}, s.Run
		shown = append(shown, one)
	}
	slices.SortFunc(shown, func(a, b registeredOnPage) int { return strings.Compare(a.Name+a.ClientID, b.Name+b.ClientID) })
	return shown
}

// givenTo are the permissions that an app has. t.mu is held.
func (t *Tenant) givenTo(app App) (given []permissionOnPage) {
	for _, resource := range t.apps {
		for _, a := range t.dir.Assigned[resource.PrincipalID] {
			if a.PrincipalID != app.PrincipalID || app.PrincipalID == "" {
				continue
			}
			for _, role := range resource.AppRoles {
				if role.ID == a.AppRoleID {
					given = append(given, permissionOnPage{a.ID, resource.Name + ": " + role.Value + ", without a person", resource.ClientID})
				}
			}
		}
	}
	for _, c := range t.dir.Consents {
		if c.ClientID != app.PrincipalID || app.PrincipalID == "" {
			continue
		}
		resource, _ := t.byPrincipal(c.ResourceID)
		whom := "everybody"
		if u := t.dir.user(c.PrincipalID); u != nil {
			whom = u.DisplayName
		}
		given = append(given, permissionOnPage{c.ID, resource.Name + ": " + c.Scope + ", for " + whom, "consent"})
	}
	slices.SortFunc(given, func(a, b permissionOnPage) int { return strings.Compare(a.Words, b.Words) })
	return given
}

func (t *Tenant) appForms() map[string]func(*http.Request) error {
	field := func(r *http.Request, name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	return map[string]func(*http.Request) error{
		"register": func(r *http.Request) error {
			_, err := t.Register(field(r, "name"), strings.Fields(field(r, "redirects")))
			return err
		},
		"delete":       func(r *http.Request) error { return t.unregister(field(r, "app")) },
		"secret":       func(r *http.Request) error { _, err := t.AddSecret(field(r, "app"), field(r, "name"), 0); return err },
		"expire":       func(r *http.Request) error { return t.ExpireSecrets(field(r, "app")) },
		"removesecret": func(r *http.Request) error { return t.RemoveSecret(field(r, "app"), field(r, "id")) },
		"federate": func(r *http.Request) error {
			return t.editFederated(field(r, "app"), "", federatedBody{Name: field(r, "name"), Issuer: field(r, "issuer"), Subject: field(r, "subject"), Audiences: []string{or(field(r, "audience"), exchangeAudience)}})
		},
		"unfederate": func(r *http.Request) error {
			return t.editFederated(field(r, "app"), field(r, "name"), federatedBody{})
		},
		"redirects": func(r *http.Request) error {
			app, known := t.App(field(r, "app"))
			if !known {
				return notFound(field(r, "app"))
			}
			return t.SetRedirects(app.ClientID, strings.Fields(field(r, "redirects")), app.LogoutURL)
		},
		"required": func(r *http.Request) error {
			return t.changeApp(field(r, "app"), func(a *App) { a.AssignmentRequired = !a.AssignmentRequired })
		},
		"disable": func(r *http.Request) error {
			return t.changeApp(field(r, "app"), func(a *App) { a.Disabled = !a.Disabled })
		},
		"consent": func(r *http.Request) error {
			return t.editApp(field(r, "app"), func(a *App) error { t.grantRequired(t.dir, *a, "", true); return nil })
		},
		"map": func(r *http.Request) error {
			return t.editApp(field(r, "app"), func(a *App) error { a.registered.Sync.ObjectID = !a.registered.Sync.ObjectID; return nil })
		},
		"withdraw": func(r *http.Request) error { return t.Withdraw(field(r, "app"), field(r, "id")) },
	}
}

// Register makes an app registration of this tenant with its service principal, as the portal does.
func (t *Tenant) Register(name string, redirectURIs []string) (App, error) {
	t.mu.Lock()
	app, err := t.newApplication(entity{"displayName": name, "signInAudience": "AzureADMyOrg", "web": entity{"redirectUris": plain(redirectURIs)},
		"api": entity{"requestedAccessTokenVersion": 2}}, "")
	t.mu.Unlock()
	if err != nil {
		return App{}, err
	}
	return app, t.editApp(app.ClientID, func(a *App) error {
		a.PrincipalID, a.registered.PrincipalMade = newGUID(), t.now()
		app = *a
		return nil
	})
}

// Withdraw takes a permission back that an app was given: an app role assignment or a consent, by its ID.
func (t *Tenant) Withdraw(clientID, id string) error {
	app, known := t.App(clientID)
	if !known {
		return notFound(clientID)
	}
	return t.change(func(d *directory) error {
		before := len(d.Consents)
		d.Consents = slices.DeleteFunc(slices.Clone(d.Consents), func(c consent) bool { return c.ID == id && c.ClientID == app.PrincipalID })
		found := len(d.Consents) < before
		for resource, list := range d.Assigned {
			rest := slices.DeleteFunc(slices.Clone(list), func(a Assignment) bool { return a.ID == id && a.PrincipalID == app.PrincipalID })
			found = found || len(rest) < len(list)
			d.Assigned[resource] = rest
		}
		if !found {
			return notFound(id)
		}
		d.Seq++
		return nil
	})
}
