package entrasim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	federatedAtMost    = 20
	federatedTextMax   = 600
	exchangeAudience   = "api://AzureADTokenExchange"
	federatedNameRegex = `^[A-Za-z0-9_-]{3,120}$`
)

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
