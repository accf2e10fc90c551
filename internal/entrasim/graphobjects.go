package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

const (
	idsAtMost   = 1000 // object IDs in one getByIds
	checkAtMost = 20   // group IDs in one checkMemberGroups
)

// graphObjects answers /directoryObjects: objects of any kind by their ID.
func (t *Tenant) graphObjects(r graphRequest) (graphAnswer, error) {
	if !r.may("Directory.Read.All", DirectoryWrite) && !(r.may("User.Read.All") && r.may("Group.Read.All", "GroupMember.Read.All")) {
		return graphAnswer{}, forbidden()
	}
	if len(r.path) == 1 {
		return graphAnswer{}, badRequest("A directory object is asked for by its id, or several by getByIds.")
	}
	if strings.TrimPrefix(r.path[1], "microsoft.graph.") == "getByIds" && r.Method == http.MethodPost {
		return t.byIDs(r)
	}
	id := strings.ToLower(r.path[1])
	t.mu.Lock()
	kind := t.dir.kind(id)
	t.mu.Unlock()
	if kind == "" {
		return graphAnswer{}, notFound(r.path[1])
	}
	switch operation := r.Method + " " + strings.TrimPrefix(strings.Join(r.path[2:], "/"), "microsoft.graph."); operation {
	case "GET ":
		t.mu.Lock()
		defer t.mu.Unlock()
		selected, err := t.selected(r.URL.Query(), "directoryObject")
		if err != nil {
			return graphAnswer{}, err
		}
		e := t.typed([]string{id}, selected)[0]
		e["@odata.context"] = t.context("directoryObjects", selected) + "/$entity"
		return graphAnswer{Body: e}, nil
	case "POST getMemberObjects", "POST getMemberGroups":
		return t.memberObjects(r, id)
	case "POST checkMemberObjects", "POST checkMemberGroups":
		return t.checkMember(r, id)
	}
	return graphAnswer{}, notAllowed(r.Method)
}

func (t *Tenant) byIDs(r graphRequest) (graphAnswer, error) {
	var body struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if len(body.IDs) == 0 || len(body.IDs) > idsAtMost {
		return graphAnswer{}, badRequest("The number of values in the parameter 'ids' must be between 1 and 1000.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	selected, err := t.selected(r.URL.Query(), "directoryObject")
	if err != nil {
		return graphAnswer{}, err
	}
	var there []string
	for _, id := range body.IDs {
		kind := t.dir.kind(strings.ToLower(id))
		if kind != "" && (len(body.Types) == 0 || slices.ContainsFunc(body.Types, func(want string) bool { return strings.EqualFold(want, kind) || want == "directoryObject" })) {
			there = append(there, strings.ToLower(id))
		}
	}
	return t.collection(t.context("directoryObjects", selected), t.typed(there, selected), ""), nil
}

// checkMember answers which of some groups contain an object, also through other groups.
func (t *Tenant) checkMember(r graphRequest, id string) (graphAnswer, error) {
	var body struct {
		GroupIDs []string `json:"groupIds"`
		IDs      []string `json:"ids"`
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	asked := slices.Concat(body.GroupIDs, body.IDs)
	if len(asked) == 0 || len(asked) > checkAtMost {
		return graphAnswer{}, badRequest("The number of groups that can be checked in one request is between 1 and 20.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.dir.groupsOf(id, true)
	hits := []string{}
	for _, g := range asked {
		if _, found := slices.BinarySearch(in, strings.ToLower(g)); found {
			hits = append(hits, g)
		}
	}
	return graphAnswer{Body: entity{"@odata.context": t.context("Collection(Edm.String)", nil), "value": hits}}, nil
}

func (t *Tenant) countGroups(r graphRequest, id string) (graphAnswer, error) {
	t.mu.Lock()
	n := len(t.dir.groupsOf(id, true))
	t.mu.Unlock()
	return t.countOf(r, n)
}
