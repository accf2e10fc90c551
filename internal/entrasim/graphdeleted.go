package entrasim

import (
	"net/http"
	"strings"
)

// graphDeletedItems answers /directory/deletedItems: the recycle bin.
func (t *Tenant) graphDeletedItems(r graphRequest) (graphAnswer, error) {
	if !r.may("Directory.Read.All", DirectoryWrite) && !(r.may("User.Read.All") && r.may("Group.Read.All")) {
		return graphAnswer{}, forbidden()
	}
	if len(r.path) < 3 || r.path[1] != "deletedItems" {
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment 'directory'."}
	}
	kind, all := strings.CutPrefix(r.path[2], "microsoft.graph.")
	id := strings.ToLower(r.path[2])
	switch operation := r.Method + " " + strings.Join(r.path[3:], "/"); {
	case all && operation == "GET ":
		return t.listDeleted(r, kind)
	case operation == "GET ":
		return t.binned(id, t.context("directoryObjects", nil)+"/$entity")
	case operation == "POST restore":
		if err := r.mayWrite(); err != nil {
			return graphAnswer{}, err
		}
		if err := t.change(func(d *directory) error { return d.restore(id) }); err != nil {
			return graphAnswer{}, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		e := t.typed([]string{id}, nil)[0]
		e["@odata.context"] = t.context("directoryObjects", nil) + "/$entity"
		return graphAnswer{Body: e}, nil
	case operation == "DELETE ":
		if err := r.mayWrite(); err != nil {
			return graphAnswer{}, err
		}
		return graphAnswer{}, t.change(func(d *directory) error { return d.purge(id) })
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (t *Tenant) binned(id, context string) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.deletedEntity(id)
	if e == nil {
		return graphAnswer{}, notFound(id)
	}
	e["@odata.context"] = context
	return graphAnswer{Body: e}, nil
}

func (t *Tenant) listDeleted(r graphRequest, kind string) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.dir.userIDs
	if kind == "group" {
		ids = t.dir.groupIDs
	} else if kind != "user" {
		return graphAnswer{}, badRequest("The recycle bin holds microsoft.graph.user and microsoft.graph.group.")
	}
	var deleted []string
	for _, id := range ids {
		if t.dir.deletedUser(id) != nil || t.dir.deletedGroup(id) != nil {
			deleted = append(deleted, id)
		}
	}
	cut, next, err := t.page(r, deleted)
	if err != nil {
		return graphAnswer{}, err
	}
	var value []entity
	for _, id := range cut {
		value = append(value, t.deletedEntity(id))
	}
	return t.collection(t.context(kind+"s", nil), value, next), nil
}

// deletedEntity is an object in the recycle bin, or nil. t.mu is held.
func (t *Tenant) deletedEntity(id string) entity {
	var e entity
	if u := t.dir.deletedUser(id); u != nil {
		e = projected(userEntity(u), userDefaults())
		e["@odata.type"] = "#microsoft.graph.user"
	} else if g := t.dir.deletedGroup(id); g != nil {
		e = projected(groupEntity(g), groupDefaults())
		e["@odata.type"] = "#microsoft.graph.group"
	}
	return e
}
