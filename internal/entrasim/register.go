package entrasim

import (
	"net/http"
	"strings"
)

// rewrite changes an application object. t.mu is held.
func (t *Tenant) rewrite(a *App, change entity) error {
	before := manifestOf(*a)
	former, err := read(before)
	if err != nil {
		return err
	}
	now, err := mergedManifest(manifestOf(*a), change)
	if err != nil {
		return err
	}
	if err := completeKeys(before, now); err != nil {
		return err
	}
	m, err := read(now)
	if err != nil {
		return badRequest("Invalid value specified for a property of resource 'Application': " + err.Error())
	}
	if err := t.check(*a, former, m); err != nil {
		return err
	}
	a.apply(now, m)
	return nil
}

// register makes an application object; the app has no service principal yet.
func (t *Tenant) register(r graphRequest, uniqueName string) (graphAnswer, error) {
	if !r.mayRegister(nil) {
		return graphAnswer{}, forbidden()
	}
	said := entity{}
	if err := r.body(&said); err != nil {
		return graphAnswer{}, err
	}
	if uniqueName != "" {
		said["uniqueName"] = uniqueName
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	app, err := t.newApplication(said, r.ObjectID)
	if err != nil {
		return graphAnswer{}, err
	}
	e := t.applicationEntity(app, r)
	e["@odata.context"] = t.context("applications", nil) + "/$entity"
	return graphAnswer{Status: http.StatusCreated, Body: e}, nil
}

// newApplication makes an application object of what was said. t.mu is held.
func (t *Tenant) newApplication(said entity, owner string) (App, error) {
	if said["passwordCredentials"] != nil {
		return App{}, badRequest("Property 'passwordCredentials' cannot be set when an application is made; use addPassword.")
	}
	app := App{ClientID: newGUID(), ObjectID: newGUID(), registered: registration{Own: true, Made: t.now(), Owner: owner}}
	blank := newManifest()
	now, err := mergedManifest(newManifest(), said)
	if err != nil {
		return App{}, err
	}
	audience, _ := now["signInAudience"].(string)
	if api, _ := now["api"].(map[string]any); strings.Contains(audience, "Personal") && api["requestedAccessTokenVersion"] == nil {
		api["requestedAccessTokenVersion"] = 2
	}
	if err := completeKeys(blank, now); err != nil {
		return App{}, err
	}
	m, err := read(cloned(now))
	if err != nil {
		return App{}, badRequest("Invalid value specified for a property of resource 'Application': " + err.Error())
	}
	if err := t.check(app, manifest{}, m); err != nil {
		return App{}, err
	}
	for _, other := range t.apps {
		if o := other.registered.Manifest; m.UniqueName != "" && o != nil && o["uniqueName"] == m.UniqueName {
			return App{}, &graphError{Status: http.StatusConflict, Code: "Request_MultipleObjectsWithSameKeyValue",
				Message: "Another object with the same value for property uniqueName already exists."}
		}
	}
	app.apply(cloned(now), m)
	t.apps[app.ClientID] = app
	t.saveApps()
	return app, nil
}

// unregister deletes an application object with its service principal and everything that they were given.
func (t *Tenant) unregister(clientID string) error {
	return t.change(func(d *directory) error {
		app, known := t.apps[clientID]
		if !known || app.Foreign {
			return notFound(clientID)
		}
		d.forgetPrincipal(app.PrincipalID)
		delete(t.apps, clientID)
		d.Seq++
		t.saveApps()
		return nil
	})
}
