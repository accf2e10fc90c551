package entrasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const graphTime = "2006-01-02T15:04:05Z"

// mayRegister reports whether the caller may change this application, or, where a is nil, make one.
func (r graphRequest) mayRegister(a *App) bool {
	if r.may(appWrite, DirectoryWrite) {
		return true
	}
	return r.may(appWriteOwned) && (a == nil || a.registered.Owner != "" && a.registered.Owner == r.ObjectID)
}

// graphApplications answers /applications, by object ID, by (appId='…') or by (uniqueName='…').
func (t *Tenant) graphApplications(r graphRequest, key string) (graphAnswer, error) {
	if !r.may("Application.Read.All", "Directory.Read.All", appWrite, appWriteOwned, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	rest := r.path[1:]
	if key == "" && len(rest) == 0 {
		switch r.Method {
		case http.MethodGet:
			return t.listApplications(r)
		case http.MethodPost:
			return t.register(r, "")
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	named := key
	if key == "" {
		named, rest = rest[0], rest[1:]
	}
	app, found := t.application(named, key != "")
	if unique, ok := strings.CutPrefix(key, "uniqueName="); ok && !found && r.Method == http.MethodPatch && len(rest) == 0 &&
		strings.Contains(r.Header.Get("Prefer"), "create-if-missing") {
		return t.register(r, unquoted(unique))
	}
	if !found {
		return graphAnswer{}, notFound(unquoted(named[strings.IndexByte(named, '=')+1:]))
	}
	switch {
	case len(rest) == 0:
		return t.oneApplication(r, app)
	case r.Method != http.MethodGet && !r.mayRegister(&app):
		return graphAnswer{}, forbidden()
	case rest[0] == "federatedIdentityCredentials":
		return t.graphFederated(r, app, rest[1:])
	case rest[0] == "owners":
		return t.graphOwners(r, app, rest[1:])
	case r.Method == http.MethodPost && len(rest) == 1:
		switch strings.TrimPrefix(rest[0], "microsoft.graph.") {
		case "addPassword":
			return t.addPassword(r, app)
		case "removePassword":
			return t.removePassword(r, app)
		}
	}
	return graphAnswer{}, noSegment(strings.Join(rest, "/"))
}

func noSegment(path string) error {
	return &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + path + "'."}
}

// application finds one by its object ID, or by appId='…' or uniqueName='…'. By its unique name it is found at once.
func (t *Tenant) application(name string, isKey bool) (App, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	by, value, _ := strings.Cut(name, "=")
	for _, a := range t.apps {
		switch {
		case a.Foreign:
		case isKey && strings.TrimSpace(by) == "uniqueName":
			if m := a.registered.Manifest; m != nil && m["uniqueName"] == unquoted(value) {
				return a, true
			}
		case !t.replicated(a.registered.Made):
		case isKey && strings.TrimSpace(by) == "appId" && strings.EqualFold(a.ClientID, unquoted(value)), !isKey && strings.EqualFold(a.objectID(), name):
			return a, true
		}
	}
	return App{}, false
}

func (t *Tenant) listApplications(r graphRequest) (graphAnswer, error) {
	t.mu.Lock()
	byID := map[string]entity{}
	for _, a := range t.apps {
		if !a.Foreign && t.replicated(a.registered.Made) {
			byID[a.objectID()] = t.applicationEntity(a, r)
		}
	}
	t.mu.Unlock()
	return t.entities(r, "applications", "application", byID)
}

// entities answers a collection of objects that are no directory objects: $filter, $select, $count, $top.
func (t *Tenant) entities(r graphRequest, context, kind string, byID map[string]entity) (graphAnswer, error) {
	query := r.URL.Query()
	keep, err := filterBy(query.Get("$filter"))
	if err != nil {
		return graphAnswer{}, err
	}
	var ids, selected []string
	for id, e := range byID {
		if selected == nil {
			if selected, err = selection(query, kind, e); err != nil {
				return graphAnswer{}, err
			}
		}
		if keep == nil || keep(e) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	cut, next, err := t.page(r, ids)
	if err != nil {
		return graphAnswer{}, err
	}
	var value []entity
	for _, id := range cut {
		e := byID[id]
		if len(selected) > 0 {
			e = projected(e, selected)
		}
		value = append(value, e)
	}
	answer := t.collection(t.context(context, selected), value, next)
	if query.Get("$count") == "true" {
		answer.Body.(entity)["@odata.count"] = len(ids)
	}
	return answer, nil
}

// oneEntity answers one object, with the selected properties.
func (t *Tenant) oneEntity(r graphRequest, context, kind string, e entity) (graphAnswer, error) {
	selected, err := selection(r.URL.Query(), kind, e)
	if err != nil {
		return graphAnswer{}, err
	}
	if len(selected) > 0 {
		e = projected(e, selected)
	}
	e["@odata.context"] = t.context(context, selected) + "/$entity"
	return graphAnswer{Body: e}, nil
}

// applicationEntity is an application object as it is shown: the keys themselves only to whoever selects keyCredentials.
func (t *Tenant) applicationEntity(a App, r graphRequest) entity {
	e := manifestOf(a)
	made := a.registered.Made
	if made.IsZero() {
		made = sampleStart()
	}
	e["id"], e["appId"], e["createdDateTime"], e["deletedDateTime"] = a.objectID(), a.ClientID, made.UTC().Format(graphTime), nil
	e["publisherDomain"], e["applicationTemplateId"] = t.org.Domain, orNull(a.registered.Template)
	e["passwordCredentials"] = a.passwordEntities()
	if !strings.Contains(r.URL.Query().Get("$select"), "keyCredentials") {
		keys, _ := e["keyCredentials"].([]any)
		for _, k := range keys {
			if k, ok := k.(map[string]any); ok {
				k["key"] = nil
			}
		}
	}
	return e
}

func (t *Tenant) oneApplication(r graphRequest, app App) (graphAnswer, error) {
	switch r.Method {
	case http.MethodGet:
		t.mu.Lock()
		e := t.applicationEntity(app, r)
		t.mu.Unlock()
		return t.oneEntity(r, "applications", "application", e)
	case http.MethodPatch:
		if !r.mayRegister(&app) {
			return graphAnswer{}, forbidden()
		}
		change := entity{}
		if err := r.body(&change); err != nil {
			return graphAnswer{}, err
		}
		return graphAnswer{}, t.editApp(app.ClientID, func(a *App) error { return t.rewrite(a, change) })
	case http.MethodDelete:
		if !r.mayRegister(&app) {
			return graphAnswer{}, forbidden()
		}
		return graphAnswer{}, t.unregister(app.ClientID)
	}
	return graphAnswer{}, notAllowed(r.Method)
}

// replicated reports whether everybody sees by now what was made at a time. t.mu is held.
func (t *Tenant) replicated(made time.Time) bool {
	return made.IsZero() || t.now().Sub(made) >= t.faults.replication()
}
