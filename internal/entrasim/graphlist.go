package entrasim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// collection is a page of a listing.
func (t *Tenant) collection(context string, value []entity, next string) graphAnswer {
	if value == nil {
		value = []entity{}
	}
	body := entity{"@odata.context": context, "value": value}
	if next != "" {
		body["@odata.nextLink"] = next
	}
	return graphAnswer{Body: body}
}

// list answers a collection of one kind with $select, $filter and paging. t.mu is held.
func (t *Tenant) list(r graphRequest, context, kind string, ids []string) (graphAnswer, error) {
	query := r.URL.Query()
	if named, ok := idsIn(query.Get("$filter")); ok && len(named) <= filterTerms {
		query.Del("$filter") // those few are looked up instead of all being looked through
		slices.Sort(named)
		ids = slices.DeleteFunc(slices.Compact(named), func(id string) bool { _, there := slices.BinarySearch(ids, id); return !there })
	}
	keep, err := filterBy(query.Get("$filter"))
	if err != nil {
		return graphAnswer{}, err
	}
	found, err := searchBy(r)
	if err != nil {
		return graphAnswer{}, err
	}
	selected, err := t.selected(query, kind)
	if err != nil {
		return graphAnswer{}, err
	}
	var matching []string
	for _, id := range ids {
		if t.dir.kind(id) != "" && (keep == nil || keep(t.entity(id))) && (found == nil || found(t.entity(id))) {
			matching = append(matching, id)
		}
	}
	cut, next, err := t.page(r, matching)
	if err != nil {
		return graphAnswer{}, err
	}
	var value []entity
	for _, id := range cut {
		value = append(value, t.shown(id, selected))
	}
	answer := t.collection(t.context(context, selected), value, next)
	if query.Get("$count") == "true" {
		answer.Body.(entity)["@odata.count"] = len(matching)
	}
	return answer, nil
}

// countOf answers …/$count, a bare number.
func (t *Tenant) countOf(r graphRequest, n int) (graphAnswer, error) {
	if r.Header.Get("ConsistencyLevel") != "eventual" {
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: "$count is not currently supported."}
	}
	return graphAnswer{Text: strconv.Itoa(n)}, nil
}

// listObjects answers a collection of users and groups mixed, each with its @odata.type. t.mu is held.
func (t *Tenant) listObjects(r graphRequest, ids []string) (graphAnswer, error) {
	selected, err := t.selected(r.URL.Query(), "directoryObject")
	if err != nil {
		return graphAnswer{}, err
	}
	cut, next, err := t.page(r, ids)
	if err != nil {
		return graphAnswer{}, err
	}
	return t.collection(t.context("directoryObjects", selected), t.typed(cut, selected), next), nil
}

// typed are objects of several kinds, each with its @odata.type. t.mu is held.
func (t *Tenant) typed(ids, selected []string) []entity {
	var value []entity
	for _, id := range ids {
		e := t.shown(id, selected)
		e["@odata.type"] = "#microsoft.graph." + t.dir.kind(id)
		value = append(value, e)
	}
	return value
}

func (t *Tenant) selected(query url.Values, kind string) ([]string, error) {
	switch kind {
	case "user":
		return selection(query, kind, userEntity(&userRow{}))
	case "group":
		return selection(query, kind, groupEntity(&groupRow{}))
	}
	return selection(query, kind, userEntity(&userRow{}), groupDefaults()...)
}

// entity is the live object with this ID, with all its properties, or nil. t.mu is held.
func (t *Tenant) entity(id string) entity {
	if u := t.dir.user(id); u != nil {
		return userEntity(u)
	}
	if g := t.dir.group(id); g != nil {
		return groupEntity(g)
	}
	return nil
}

// shown is a live object with the selected properties, or those that Graph gives by itself.
func (t *Tenant) shown(id string, selected []string) entity {
	if len(selected) == 0 {
		if selected = userDefaults(); t.dir.group(id) != nil {
			selected = groupDefaults()
		}
	}
	return projected(t.entity(id), selected)
}
