package entrasim

import (
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	secretLife         = 2 * 365 * 24 * time.Hour // of one that says no end
	federatedAtMost    = 20
	federatedTextMax   = 600
	exchangeAudience   = "api://AzureADTokenExchange"
	federatedNameRegex = `^[A-Za-z0-9_-]{3,120}$`
)

// secrets are all of the app's, its first one too, which has no end.
func (a App) secrets() []Secret {
	all := slices.Clone(a.Secrets)
	if a.Secret != "" {
		all = append(all, Secret{KeyID: guidOf(a.ClientID, "secret"), Name: "first", Value: a.Secret, Start: sampleStart(), End: sampleStart().AddDate(100, 0, 0)})
	}
	return all
}

func (a App) passwordEntities() []entity {
	list := []entity{}
	for _, s := range a.secrets() {
		list = append(list, s.entity())
	}
	return list
}

// entity is a password credential as it is listed: without the secret.
func (s Secret) entity() entity {
	return entity{"customKeyIdentifier": nil, "displayName": orNull(s.Name), "endDateTime": s.End.UTC().Format(graphTime), "hint": s.Value[:min(3, len(s.Value))],
		"keyId": s.KeyID, "secretText": nil, "startDateTime": s.Start.UTC().Format(graphTime)}
}

// checkSecret compares a client secret with those of the app.
func (a App) checkSecret(secret string, now time.Time) *stsError {
	for _, s := range a.secrets() {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(s.Value)) != 1 {
			continue
		}
		if now.Before(s.End) {
			return nil
		}
		return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 7000222,
			Message: "The provided client secret keys for app '" + a.ClientID + "' are expired. Visit the Azure portal to create new keys for your app: " +
				"https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."}
	}
	return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 7000215,
		Message: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, " +
			"not the client secret ID, for a secret added to app '" + a.ClientID + "'."}
}

// usable refuses an app that is switched off or has no service principal.
func (a App) usable(tenant string) *stsError {
	switch {
	case a.PrincipalID == "":
		return &stsError{OAuth: "unauthorized_client", Code: 7000229, Message: "The client application " + a.ClientID + " is missing service principal in the tenant " + tenant + "."}
	case a.Disabled:
		return &stsError{OAuth: "unauthorized_client", Code: 7000112, Message: "Application '" + a.ClientID + "'(" + a.Name + ") is disabled."}
	}
	return nil
}

// expiredKey says in Entra's words that a certificate is over; empty when it is not.
func expiredKey(cert *x509.Certificate, now time.Time) string {
	if now.Before(cert.NotAfter) {
		return ""
	}
	return "The key was expired., Thumbprint of key used by client, Found key 'Start=" + cert.NotBefore.UTC().Format(time.RFC3339) + ", End=" + cert.NotAfter.UTC().Format(time.RFC3339) + "'"
}

// ExpireSecrets ends all secrets of an app now.
func (t *Tenant) ExpireSecrets(clientID string) error {
	return t.changeApp(clientID, func(a *App) {
		a.Secrets = a.secrets()
		a.Secret = ""
		for i := range a.Secrets {
			a.Secrets[i].End = t.now()
		}
	})
}

// AddSecret gives an app one more client secret and returns it. lasts 0: two years.
func (t *Tenant) AddSecret(clientID, name string, lasts time.Duration) (Secret, error) {
	if lasts == 0 {
		lasts = secretLife
	}
	made := Secret{KeyID: newGUID(), Name: name, Value: "sim8Q~" + randomID(26), Start: t.now(), End: t.now().Add(lasts)}
	return made, t.changeApp(clientID, func(a *App) { a.Secrets = append(slices.Clone(a.Secrets), made) })
}

func (t *Tenant) addPassword(r graphRequest, app App) (graphAnswer, error) {
	var body struct {
		PasswordCredential struct {
			DisplayName string
			EndDateTime *time.Time
		}
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	var lasts time.Duration
	if end := body.PasswordCredential.EndDateTime; end != nil {
		if lasts = end.Sub(t.now()); lasts <= 0 {
			return graphAnswer{}, badRequest("Credential end date is in the past.")
		}
	}
	made, err := t.AddSecret(app.ClientID, body.PasswordCredential.DisplayName, lasts)
	if err != nil {
		return graphAnswer{}, err
	}
	e := made.entity()
	e["@odata.context"], e["secretText"] = t.graphURL("$metadata#microsoft.graph.passwordCredential"), made.Value
	return graphAnswer{Body: e}, nil
}

func (t *Tenant) removePassword(r graphRequest, app App) (graphAnswer, error) {
	var body struct{ KeyID string }
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.RemoveSecret(app.ClientID, body.KeyID)
}

// RemoveSecret takes a client secret away.
func (t *Tenant) RemoveSecret(clientID, keyID string) error {
	return t.editApp(clientID, func(a *App) error {
		all := a.secrets()
		i := slices.IndexFunc(all, func(s Secret) bool { return strings.EqualFold(s.KeyID, keyID) })
		if i < 0 {
			return badRequest("No password credential found with keyId '" + keyID + "'.")
		}
		if all[i].Value == a.Secret {
			a.Secret = ""
			return nil
		}
		a.Secrets = slices.DeleteFunc(slices.Clone(a.Secrets), func(s Secret) bool { return strings.EqualFold(s.KeyID, keyID) })
		return nil
	})
}

func (f FederatedCredential) entity() entity {
	return entity{"id": f.id(), "name": f.Name, "issuer": f.Issuer, "subject": f.Subject, "description": orNull(f.Description), "audiences": []string{f.Audience}}
}

func (f FederatedCredential) id() string {
	return or(f.ID, guidOf("federated", f.Name, f.Issuer, f.Subject))
}

// graphFederated answers /applications/{id}/federatedIdentityCredentials.
//
// https://learn.microsoft.com/graph/api/application-post-federatedidentitycredentials
func (t *Tenant) graphFederated(r graphRequest, app App, rest []string) (graphAnswer, error) {
	context := "applications('" + app.objectID() + "')/federatedIdentityCredentials"
	if len(rest) == 0 || rest[0] == "" {
		switch r.Method {
		case http.MethodGet:
			byID := map[string]entity{}
			for _, f := range app.Federated {
				byID[f.id()] = f.entity()
			}
			return t.entities(r, context, "federatedIdentityCredential", byID)
		case http.MethodPost:
			return t.addFederated(r, app, context)
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	i := slices.IndexFunc(app.Federated, func(f FederatedCredential) bool { return strings.EqualFold(f.id(), rest[0]) || f.Name == rest[0] })
	if i < 0 {
		return graphAnswer{}, notFound(rest[0])
	}
	old := app.Federated[i]
	switch r.Method {
	case http.MethodGet:
		return t.oneEntity(r, context, "federatedIdentityCredential", old.entity())
	case http.MethodPatch:
		said := federatedBody{Name: old.Name, Issuer: old.Issuer, Subject: old.Subject, Description: old.Description, Audiences: []string{old.Audience}}
		if err := r.body(&said); err != nil {
			return graphAnswer{}, err
		}
		if said.Name != old.Name {
			return graphAnswer{}, badRequest("Property 'name' is read-only and cannot be set.")
		}
		return graphAnswer{}, t.editFederated(app.ClientID, old.Name, said)
	case http.MethodDelete:
		return graphAnswer{}, t.editFederated(app.ClientID, old.Name, federatedBody{})
	}
	return graphAnswer{}, notAllowed(r.Method)
}

type federatedBody struct {
	Name, Issuer, Subject, Description string
	Audiences                          []string
}

func (b federatedBody) check() error {
	switch {
	case !regexp.MustCompile(federatedNameRegex).MatchString(b.Name):
		return badRequest("Invalid value specified for property 'name' of resource 'FederatedIdentityCredential'.")
	case b.Issuer == "" || len(b.Issuer) > federatedTextMax, b.Subject == "" || len(b.Subject) > federatedTextMax:
		return badRequest("Properties 'issuer' and 'subject' of resource 'FederatedIdentityCredential' have 1 to 600 characters.")
	case len(b.Audiences) != 1:
		return badRequest("Property 'audiences' of resource 'FederatedIdentityCredential' has exactly one value.")
	}
	return nil
}

func (t *Tenant) addFederated(r graphRequest, app App, context string) (graphAnswer, error) {
	var said federatedBody
	if err := r.body(&said); err != nil {
		return graphAnswer{}, err
	}
	if err := t.editFederated(app.ClientID, "", said); err != nil {
		return graphAnswer{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.apps[app.ClientID].Federated
	i := slices.IndexFunc(all, func(f FederatedCredential) bool { return f.Name == said.Name })
	if i < 0 {
		return graphAnswer{}, notFound(said.Name) // somebody was quicker to remove it
	}
	e := all[i].entity()
	e["@odata.context"] = t.context(context, nil) + "/$entity"
	return graphAnswer{Status: http.StatusCreated, Body: e}, nil
}

// editFederated replaces the credential of a name; without a name it adds one, and with an empty body it removes it.
func (t *Tenant) editFederated(clientID, name string, said federatedBody) error {
	removes := name != "" && said.Name == ""
	if !removes {
		if err := said.check(); err != nil {
			return err
		}
	}
	return t.editApp(clientID, func(a *App) error {
		made := FederatedCredential{ID: newGUID(), Name: said.Name, Issuer: said.Issuer, Subject: said.Subject, Description: said.Description, Made: t.now()}
		rest := slices.DeleteFunc(slices.Clone(a.Federated), func(f FederatedCredential) bool {
			if name != "" && f.Name == name {
				made.ID, made.Made = f.id(), f.Made
			}
			return name != "" && f.Name == name
		})
		if removes {
			a.Federated = rest
			return nil
		}
		for _, f := range rest {
			if f.Name == said.Name || f.Issuer == said.Issuer && f.Subject == said.Subject {
				return &graphError{Status: http.StatusConflict, Code: "Request_MultipleObjectsWithSameKeyValue",
					Message: "FederatedIdentityCredential with name " + f.Name + ", or with its issuer and subject, already exists."}
			}
		}
		if len(rest) >= federatedAtMost {
			return badRequest("An application has at most 20 federated identity credentials.")
		}
		made.Audience = said.Audiences[0]
		a.Federated = append(rest, made)
		return nil
	})
}

// graphOwners answers /applications/{id}/owners: whoever made it, and who was added.
func (t *Tenant) graphOwners(r graphRequest, app App, rest []string) (graphAnswer, error) {
	switch {
	case len(rest) == 0 && r.Method == http.MethodGet:
		var value []entity
		if owner := app.registered.Owner; owner != "" {
			value = append(value, entity{"id": owner})
		}
		return t.collection(t.context("directoryObjects", nil), value, ""), nil
	case len(rest) == 1 && rest[0] == "$ref" && r.Method == http.MethodPost:
		var body struct {
			ID string `json:"@odata.id"`
		}
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		owner := strings.ToLower(body.ID[strings.LastIndexByte(body.ID, '/')+1:])
		return graphAnswer{}, t.editApp(app.ClientID, func(a *App) error {
			if a.registered.Owner == owner {
				return badRequest("One or more added object references already exist for the following modified properties: 'owners'.")
			}
			a.registered.Owner = owner
			return nil
		})
	}
	return graphAnswer{}, notAllowed(r.Method)
}
