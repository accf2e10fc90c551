package provisioning

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// endpoint is a SCIM endpoint for what this service sends and nothing more: whatever else it is asked fails the test. It
// stands in for faults and for looking at requests; that a real endpoint understands them is shown in test/provisioning.
type endpoint struct {
	t      *testing.T
	server *httptest.Server
	modern bool

	mu        sync.Mutex
	next      int
	resources map[string]map[string]map[string]any // kind → id → resource
	requests  []string                             // method, path, query
	fault     func(*http.Request) int              // status to answer with; 0: none, -1: a broken connection
}

func newEndpoint(t *testing.T, modern bool) *endpoint {
	e := &endpoint{t: t, modern: modern, resources: map[string]map[string]map[string]any{"Users": {}, "Groups": {}}}
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	return e
}

func (e *endpoint) url() string {
	if e.modern {
		return e.server.URL + "/scim/v2/?aadOptscim062020"
	}
	return e.server.URL + "/scim/v2"
}

// asked counts the requests since the last call whose method and path begin so.
func (e *endpoint) asked(prefix string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, r := range e.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func (e *endpoint) quiet() { e.mu.Lock(); defer e.mu.Unlock(); e.requests = nil }

func (e *endpoint) fail(f func(*http.Request) int) { e.mu.Lock(); defer e.mu.Unlock(); e.fault = f }

func (e *endpoint) all(kind string) map[string]map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.resources[kind])
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault != nil {
		switch status := e.fault(r); status {
		case 0:
		case -1:
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("Retry-After", "0")
			e.answer(w, status, map[string]any{"detail": "a fault", "status": strconv.Itoa(status)})
			return
		}
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		e.answer(w, http.StatusUnauthorized, map[string]any{"detail": "no"})
		return
	}
	target, _ := strings.CutPrefix(r.URL.Path, "/scim/v2/")
	e.requests = append(e.requests, r.Method+" "+target+" "+r.URL.Query().Get("filter"))
	kind, at, _ := strings.Cut(target, "/")
	known, ok := e.resources[kind]
	if !ok {
		e.t.Errorf("%s %s: no such kind", r.Method, r.URL)
	}
	var body map[string]any
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), mediaType) {
			e.t.Errorf("%s %s: %v, %s", r.Method, r.URL, err, r.Header.Get("Content-Type"))
		}
	}
	has := known[at]
	switch {
	case r.Method == http.MethodPost:
		e.next++
		body["id"] = fmt.Sprintf("%s-%d", kind, e.next)
		if members := body["members"]; members != nil {
			e.t.Errorf("a group is created with members: %v", members)
		}
		known[body["id"].(string)] = body
		e.answer(w, http.StatusCreated, body)
	case r.Method == http.MethodGet && at == "":
		list := []any{}
		for _, id := range slices.Sorted(maps.Keys(known)) {
			if e.fits(known[id], r.URL.Query().Get("filter")) {
				list = append(list, known[id])
			}
		}
		e.answer(w, http.StatusOK, map[string]any{"totalResults": len(list), "Resources": list})
	case has == nil:
		e.answer(w, http.StatusNotFound, map[string]any{"detail": "no such resource", "status": "404"})
	case r.Method == http.MethodGet:
		e.answer(w, http.StatusOK, has)
	case r.Method == http.MethodDelete:
		e.vanish(kind, at)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch:
		for _, op := range body["Operations"].([]any) {
			e.apply(has, op.(map[string]any))
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		e.t.Errorf("unexpected: %s %s", r.Method, r.URL)
	}
}

// vanish deletes a resource, and it in all groups. e.mu is held.
func (e *endpoint) vanish(kind, id string) {
	delete(e.resources[kind], id)
	for _, g := range e.resources["Groups"] {
		g["members"] = without(g["members"], []string{id})
	}
}

func (e *endpoint) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

var term = regexp.MustCompile(`^(.+?) eq "([^"]*)"$`)

func (e *endpoint) fits(resource map[string]any, filter string) bool {
	for _, part := range strings.Split(filter, " and ") {
		m := term.FindStringSubmatch(part)
		if m == nil {
			e.t.Errorf("a filter that is not of eq and and: %s", filter)
			return false
		}
		is, at := get(resource, m[1]), m[1]
		if at == "manager" {
			inner, _ := resource[enterprise].(map[string]any)
			is = inner["manager"]
		}
		if is != m[2] {
			return false
		}
	}
	return true
}

// apply does an operation, and objects to every form that is not of this endpoint's dialect.
func (e *endpoint) apply(resource, op map[string]any) {
	verb, at := op["op"].(string), ""
	if s, ok := op["path"].(string); ok {
		at = s
	}
	lower := strings.ToLower(verb)
	if lower == "" || e.modern != (verb == lower) && at != "roles" || !slices.Contains([]string{"add", "replace", "remove"}, lower) {
		e.t.Errorf("the operation %q in the modern dialect %v", verb, e.modern)
	}
	switch {
	case strings.HasPrefix(at, "members[") && lower == "remove" && e.modern:
		resource["members"] = without(resource["members"], []string{strings.Trim(strings.TrimSuffix(strings.TrimPrefix(at, "members[value eq "), "]"), `"`)})
	case at == "members":
		var ids []string
		for _, m := range op["value"].([]any) {
			ids = append(ids, m.(map[string]any)["value"].(string))
		}
		rest := without(resource["members"], ids)
		if lower == "add" {
			for _, id := range ids {
				rest = append(rest, map[string]any{"value": id})
			}
		} else if e.modern {
			e.t.Error("members are removed by value in the modern dialect")
		}
		resource["members"] = rest
	case strings.HasSuffix(at, "manager"):
		is := op["value"]
		if list, ok := is.([]any); ok {
			is = list[0].(map[string]any)["value"]
		}
		put(resource, enterprise+":manager", is)
	case at == "roles":
		resource["roles"] = op["value"]
	case at == "":
		if !e.modern {
			e.t.Error("an operation without a path in the default dialect")
		}
		for key, is := range op["value"].(map[string]any) {
			put(resource, key, is)
		}
	default:
		is := op["value"]
		if text, ok := is.(string); ok && at == "active" {
			is = text == "True"
			if e.modern {
				e.t.Errorf("a boolean is the string %q in the modern dialect", text)
			}
		}
		put(resource, at, is)
	}
}

func without(members any, ids []string) []any {
	list, _ := members.([]any)
	return slices.DeleteFunc(slices.Clone(list), func(m any) bool { return slices.Contains(ids, m.(map[string]any)["value"].(string)) })
}

// equal compares what the endpoint has with the tenant, object by object and attribute by attribute. away are the object
// IDs of users who are in the recycle bin or left the scope: they have to be there and disabled.
func (e *endpoint) equal(s *Service, tenant Source, users, groups Mapping, away ...string) {
	e.t.Helper()
	x, err := tenant.Extract(s.app)
	if err != nil {
		e.t.Fatal(err)
	}
	targets, has := s.Targets(), e.all("Users")
	expected := 0
	for id, u := range x.Users {
		gone := slices.Contains(away, id)
		if u.Purged && !gone || (!gone && (u.Recycled || targets[id] == "")) {
			if targets[id] != "" && u.Purged {
				e.t.Errorf("%s was deleted for good and is still followed", u.DisplayName)
			}
			continue
		}
		expected++
		at := has[targets[id]]
		if gone {
			if get(at, "active") != false {
				e.t.Errorf("%s is away and active", u.DisplayName)
			}
			continue
		}
		for _, v := range users.ofUser(u, u.AccountEnabled) {
			if v.is != nil && get(at, v.path) != v.is {
				e.t.Errorf("%s: %s is %v and not %v", u.DisplayName, v.path, get(at, v.path), v.is)
			}
		}
	}
	if len(has) != expected {
		e.t.Errorf("the endpoint has %d users and not %d", len(has), expected)
	}
	teams := e.all("Groups")
	expected = 0
	for id, g := range x.Groups {
		if targets[id] == "" || g.Deleted {
			continue
		}
		expected++
		var want, are []string
		for _, m := range g.Members {
			if targets[m] != "" {
				want = append(want, targets[m])
			}
		}
		list, _ := teams[targets[id]]["members"].([]any)
		for _, m := range list {
			target := m.(map[string]any)["value"].(string)
			if i := slices.IndexFunc(away, func(id string) bool { return targets[id] == target }); i < 0 {
				are = append(are, target)
			}
		}
		slices.Sort(want)
		slices.Sort(are)
		if !reflect.DeepEqual(want, are) {
			e.t.Errorf("%s has the members %v and not %v", g.DisplayName, are, want)
		}
		for _, v := range groups.ofGroup(g.Group) {
			if v.is != nil && get(teams[targets[id]], v.path) != v.is {
				e.t.Errorf("%s: %s is %v and not %v", g.DisplayName, v.path, get(teams[targets[id]], v.path), v.is)
			}
		}
	}
	if len(teams) != expected {
		e.t.Errorf("the endpoint has %d groups and not %d", len(teams), expected)
	}
}
