package entra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
)

// fakeGraph is a tenant of its own making that uses every liberty Graph's delta has: items in any order, a group on
// several pages with parts of its members, items said twice, earlier states said again before the last one, no word
// about the memberships of what was restored. It also fails when asked to.
type fakeGraph struct {
	*httptest.Server
	r     *rand.Rand
	fault func(r *http.Request) http.HandlerFunc // nil, or an answer instead of the right one

	mu       sync.Mutex
	users    map[string]*fakeUser
	groups   map[string]*fakeGroup
	news     map[string][]logged // by collection: what was ever said, in order
	pages    map[string][][]any  // what is left of a round, by token
	rounds   int
	requests []string
}

type fakeUser struct {
	born             time.Time
	enabled, deleted bool
}

type fakeGroup struct {
	born    time.Time
	members map[string]bool // "u…" or "g…"
	deleted bool
}

type logged struct {
	id   string
	item map[string]any
}

func newFakeGraph(t testing.TB, seed uint64) (*fakeGraph, entra.Config) {
	f := &fakeGraph{r: rand.New(rand.NewPCG(seed, 11)), users: map[string]*fakeUser{}, groups: map[string]*fakeGroup{},
		news: map[string][]logged{}, pages: map[string][][]any{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f, entra.Config{Tenant: tenant, ClientID: "client", Secret: "top secret", Graph: f.URL + "/v1.0", TokenURL: f.URL + "/token", Sweep: time.Hour}
}

func (f *fakeGraph) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if f.fault != nil {
		if h := f.fault(r); h != nil {
			h(w, r)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/token":
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3599}`)
	case r.Header.Get("Authorization") != "Bearer t":
		http.Error(w, `{"error":{"code":"InvalidAuthenticationToken"}}`, http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/servicePrincipals(appId='client')"):
		fmt.Fprint(w, `{"id":"5b2d3f56-0000-4000-8000-000000000001","appRoles":[]}`)
	case strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo"):
		fmt.Fprint(w, `{"value":[{"principalId":"g1","principalType":"Group"},{"principalId":"u1","principalType":"User"}]}`)
	case r.URL.Path == "/v1.0/users/delta" || r.URL.Path == "/v1.0/groups/delta":
		f.delta(w, r, strings.Split(r.URL.Path, "/")[2])
	default:
		http.NotFound(w, r)
	}
}

// delta pages through a round that is made when it begins.
func (f *fakeGraph) delta(w http.ResponseWriter, r *http.Request, collection string) {
	here := f.URL + r.URL.Path
	token := r.URL.Query().Get("$skiptoken")
	if token == "" {
		since, _ := strconv.Atoi(r.URL.Query().Get("$deltatoken"))
		f.rounds++
		token = fmt.Sprintf("%d-%d-", f.rounds, len(f.news[collection]))
		f.pages[token] = f.round(collection, since)
	}
	rest := f.pages[token]
	page := map[string]any{"value": rest[0]}
	if len(rest) > 1 {
		f.pages[token+"."] = rest[1:]
		page["@odata.nextLink"] = here + "?$skiptoken=" + token + "."
	} else {
		page["@odata.deltaLink"] = here + "?$deltatoken=" + strings.Split(token, "-")[1]
	}
	_ = json.NewEncoder(w).Encode(page)
}

// round says what happened since: per object some of its earlier states, then the last; objects mixed.
func (f *fakeGraph) round(collection string, since int) (pages [][]any) {
	said := map[string][]any{} // by object
	for i, l := range f.news[collection] {
		if i >= since || since > 0 && f.r.IntN(3) == 0 && f.again(collection, l.id, since) {
			said[l.id] = append(said[l.id], l.item)
			if f.r.IntN(4) == 0 {
				said[l.id] = append(said[l.id], l.item)
			}
		}
	}
	if since == 0 {
		said = f.whole(collection)
	}
	ids := slices.Sorted(maps.Keys(said))
	page := []any{}
	for len(ids) > 0 {
		i := f.r.IntN(len(ids))
		page = append(page, said[ids[i]][0])
		if said[ids[i]] = said[ids[i]][1:]; len(said[ids[i]]) == 0 {
			ids = slices.Delete(ids, i, i+1)
		}
		if f.r.IntN(3) == 0 {
			pages, page = append(pages, page), []any{}
		}
	}
	return append(pages, page)
}

// again reports that an object is in this round anyway, so that saying its past again is followed by its present.
func (f *fakeGraph) again(collection, id string, since int) bool {
	return slices.ContainsFunc(f.news[collection][since:], func(l logged) bool { return l.id == id && l.item["members@delta"] == nil })
}

func (f *fakeGraph) whole(collection string) map[string][]any {
	said := map[string][]any{}
	for id, u := range f.users {
		if collection == "users" && !u.deleted {
			said[id] = []any{f.userItem(id)}
		}
	}
	for id, g := range f.groups {
		if collection == "groups" && !g.deleted {
			said[id] = []any{f.groupItem(id)}
			for m := range g.members {
				if u := f.users[m]; u == nil || !u.deleted {
					said[id] = append(said[id], f.members(id, m, false))
				}
			}
		}
	}
	return said
}

func (f *fakeGraph) userItem(id string) map[string]any {
	return map[string]any{"id": id, "displayName": "User " + id, "userPrincipalName": id + "@contoso.example", "mail": nil, "accountEnabled": f.users[id].enabled,
		"createdDateTime": f.users[id].born.UTC()}
}

func (f *fakeGraph) groupItem(id string) map[string]any {
	return map[string]any{"id": id, "displayName": "Group " + id, "securityEnabled": true, "createdDateTime": f.groups[id].born.UTC()}
}

func (f *fakeGraph) members(group, member string, removed bool) map[string]any {
	m := map[string]any{"@odata.type": "#microsoft.graph." + map[byte]string{'u': "user", 'g': "group"}[member[0]], "id": member}
	if removed {
		m["@removed"] = map[string]string{"reason": "deleted"}
	}
	item := f.groupItem(group)
	item["members@delta"] = []any{m, map[string]any{"@odata.type": "#microsoft.graph.servicePrincipal", "id": "s1"}}
	return item
}

func gone(id, reason string) map[string]any {
	return map[string]any{"id": id, "@removed": map[string]string{"reason": reason}}
}

func (f *fakeGraph) say(collection, id string, item map[string]any) {
	f.news[collection] = append(f.news[collection], logged{id, item})
}

// live lists objects that are there, and those in the bin.
func (f *fakeGraph) live() (users, groups, bin []string) {
	for id, u := range f.users {
		if u.deleted {
			bin = append(bin, id)
		} else {
			users = append(users, id)
		}
	}
	for id, g := range f.groups {
		if g.deleted {
			bin = append(bin, id)
		} else {
			groups = append(groups, id)
		}
	}
	slices.Sort(users)
	slices.Sort(groups)
	slices.Sort(bin)
	return users, groups, bin
}

// shake does one random thing and says so as Graph would.
func (f *fakeGraph) shake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	users, groups, bin := f.live()
	one := func(of []string) string { return of[f.r.IntN(len(of))] }
	k := f.r.IntN(40)
	switch {
	case len(users) < 4 || k < 4:
		id := fmt.Sprintf("u%d", len(f.users))
		f.users[id] = &fakeUser{born: time.Now(), enabled: f.r.IntN(4) > 0}
		f.say("users", id, f.userItem(id))
	case len(groups) < 3 || k < 6:
		id := fmt.Sprintf("g%d", len(f.groups))
		f.groups[id] = &fakeGroup{born: time.Now(), members: map[string]bool{}}
		f.say("groups", id, f.groupItem(id))
	case k < 30:
		g, m := one(groups), one(append(slices.Clone(users), groups...))
		if g == m {
			return
		}
		removed := f.groups[g].members[m]
		if delete(f.groups[g].members, m); !removed {
			f.groups[g].members[m] = true
		}
		f.say("groups", g, f.members(g, m, removed))
	case k < 34:
		u := one(users)
		f.users[u].enabled = !f.users[u].enabled
		f.say("users", u, f.userItem(u))
	case k < 36: // into the bin; groups say that the member left, or say nothing
		u := one(users)
		f.users[u].deleted = true
		f.say("users", u, gone(u, "changed"))
		for g, of := range f.groups {
			if of.members[u] && !of.deleted && f.r.IntN(2) == 0 {
				f.say("groups", g, f.members(g, u, true))
			}
		}
	case k == 36:
		g := one(groups)
		f.groups[g].deleted = true
		f.say("groups", g, gone(g, "changed"))
	case k == 37 && len(bin) > 0: // out of the bin, with all memberships, of which nothing is said
		if id := one(bin); f.users[id] != nil {
			f.users[id].deleted = false
			f.say("users", id, f.userItem(id))
		} else {
			f.groups[id].deleted = false
			f.say("groups", id, f.groupItem(id))
		}
	case k == 38 && len(bin) > 0: // for good; the ID never comes back, and nobody has it in a group
		id := one(bin)
		for _, of := range f.groups {
			delete(of.members, id)
		}
		if f.users[id] != nil {
			f.say("users", id, gone(id, "deleted"))
			f.users[id] = &fakeUser{deleted: true}
		}
	}
}

// rights lists, for each enabled user, the groups they are in.
func (f *fakeGraph) rights() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	rights := map[string][]string{}
	for id, u := range f.users {
		if u.deleted || !u.enabled {
			continue
		}
		rights[id] = []string{}
		for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
			for g, of := range f.groups {
				if !of.deleted && of.members[todo[0]] && !slices.Contains(rights[id], g) {
					rights[id] = append(rights[id], g)
					todo = append(todo, g)
				}
			}
		}
		slices.Sort(rights[id])
	}
	return rights
}

// rightsOf is the same as the directory has it.
func (h *house) rights() map[string][]string {
	s := h.Snapshot()
	rights := map[string][]string{}
	for u := range s.Users() {
		if u.Enabled {
			rights[u.ID.Object] = []string{}
			for _, g := range s.Groups(u.ID) {
				rights[u.ID.Object] = append(rights[u.ID.Object], g.Object)
			}
			slices.Sort(rights[u.ID.Object])
		}
	}
	return rights
}
