package provision_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func TestUsers(t *testing.T)  { onBoth(t, users) }
func TestGroups(t *testing.T) { onBoth(t, groups) }

// users goes through a user's life as Entra's service does, with the statuses that it expects.
func users(t *testing.T, db storetest.Database) {
	w := newWorld(t, db)
	empty := w.want(200, "GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "nobody-f47ac10b"`), nil)
	if empty.body["totalResults"] != 0.0 || empty.header.Get("Content-Type") != "application/scim+json" || !strings.Contains(empty.text, `"Resources":[]`) {
		t.Errorf("test of the connection: %v %s", empty.header, empty.text)
	}
	made := w.want(201, "POST", "/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
		"externalId":"`+ada+`","userName":"Ada@contoso.example","active":"True","addresses":null,"displayName":"Ada",
		"emails":[{"type":"work","value":"Ada@mail.example.test","primary":true}],"meta":{"resourceType":"User"},"name":{"familyName":"L","givenName":"Ada"},"department":null}`)
	id := made.id()
	meta, _ := made.body["meta"].(map[string]any)
	if made.header.Get("Location") != w.server.URL+"/scim/v2/Users/"+id || text(meta, "location") != made.header.Get("Location") || text(meta, "resourceType") != "User" ||
		text(meta, "version") != made.header.Get("ETag") || made.body["active"] != true || made.body["externalId"] != ada {
		t.Errorf("made: %v %s", made.header, made.text)
	}
	for _, again := range []object{{"userName": "ADA@contoso.example"}, {"userName": "other", "externalId": strings.ToUpper(ada)}} {
		again["schemas"] = []string{userSchema}
		if a := w.want(409, "POST", "/scim/v2/Users", again); a.body["scimType"] != "uniqueness" || a.body["status"] != "409" {
			t.Errorf("again: %s", a.text)
		}
	}
	w.want(400, "POST", "/scim/v2/Users", object{"schemas": []string{userSchema}, "externalId": "x"})
	w.want(400, "POST", "/scim/v2/Users", `{"userName":`)
	w.want(415, "POST", "/scim/v2/Users", `userName=ada`, "Content-Type", "application/x-www-form-urlencoded")
	for _, filter := range []string{`userName eq "ada@CONTOSO.example"`, `externalId eq "` + ada + `"`, `id eq "` + id + `" and userName eq "ada@contoso.example"`,
		`emails[type eq "work"].value eq "ada@mail.example.test"`, `name.givenName sw "A"`, `not (userName eq "bo")`} {
		if a := w.want(200, "GET", "/scim/v2/Users?attributes=userName&filter="+url.QueryEscape(filter), nil); a.body["totalResults"] != 1.0 || strings.Contains(a.text, "givenName") {
			t.Errorf("%s: %s", filter, a.text)
		}
	}
	if a := w.want(400, "GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq`), nil); a.body["scimType"] != "invalidFilter" {
		t.Error(a.text)
	}
	patched := w.want(200, "PATCH", "/scim/v2/Users/"+id, patchOf(object{"op": "Replace", "path": "active", "value": "False"},
		object{"op": "Add", "path": `phoneNumbers[type eq "mobile"].value`, "value": "555"}))
	if patched.body["active"] != false || patched.header.Get("ETag") == made.header.Get("ETag") || !strings.Contains(patched.text, "555") {
		t.Errorf("patched: %s", patched.text)
	}
	if a := w.want(200, "GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "ada@contoso.example"`), nil); a.body["totalResults"] != 1.0 {
		t.Errorf("a disabled user is not found: %s", a.text)
	}
	replaced := w.want(200, "PUT", "/scim/v2/Users/"+id, object{"schemas": []string{userSchema}, "userName": "ada", "externalId": ada, "unknown": 1})
	if replaced.body["active"] != false || replaced.body["displayName"] != nil {
		t.Errorf("a PUT that does not say active enables: %s", replaced.text)
	}
	same := w.want(200, "PATCH", "/scim/v2/Users/"+id, patchOf(object{"op": "replace", "value": object{"userName": "ada"}}))
	if same.header.Get("ETag") != replaced.header.Get("ETag") {
		t.Error("a change without difference makes a version")
	}
	w.want(204, "DELETE", "/scim/v2/Users/"+id, nil)
	for _, method := range []string{"GET", "DELETE"} {
		if a := w.want(404, method, "/scim/v2/Users/"+id, nil); a.body["status"] != "404" {
			t.Error(a.text)
		}
	}
}

// groups goes through a group's life, with every form in which Entra removes members.
func groups(t *testing.T, db storetest.Database) {
	w := newWorld(t, db)
	var people []string
	for i := range 6 {
		people = append(people, w.user(fmt.Sprintf("user-%d", i), ""))
	}
	id := w.group("Payments", payments)
	path := "/scim/v2/Groups/" + id
	is := func(what string, want ...string) {
		t.Helper()
		a := w.want(200, "GET", path, nil)
		var got []string
		list, _ := a.body["members"].([]any)
		for _, m := range list {
			got = append(got, text(m.(map[string]any), "value"))
		}
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: members %v, want %v", what, got, want)
		}
	}
	is("made")
	add := func(ids ...string) object {
		value := []object{}
		for _, id := range ids {
			value = append(value, object{"$ref": nil, "value": id})
		}
		return patchOf(object{"op": "Add", "path": "members", "value": value})
	}
	w.want(204, "PATCH", path, add(people...))
	is("added", people...)
	w.want(204, "PATCH", path, patchOf(object{"op": "Remove", "path": "members", "value": []object{{"value": people[0]}}}))
	is("removed by value", people[1:]...)
	w.want(204, "PATCH", path, patchOf(object{"op": "remove", "path": `members[value eq "` + people[1] + `"]`}))
	is("removed by path", people[2:]...)
	w.want(204, "PATCH", path, patchOf(object{"op": "remove", "path": "members", "value": []object{{"value": people[1]}}}))
	is("removed again", people[2:]...)
	w.want(204, "PATCH", path, patchOf(object{"op": "replace", "path": "members", "value": []object{{"value": people[0]}, {"value": people[2]}}}))
	is("replaced", people[0], people[2])
	w.want(400, "PATCH", path, add("nobody"))
	w.want(400, "PATCH", path, add(people[3], id))
	is("refused as a whole", people[0], people[2])
	if a := w.want(200, "GET", path+"?excludedAttributes=members", nil); strings.Contains(a.text, "members") || a.body["displayName"] != "Payments" {
		t.Error(a.text)
	}
	filter := url.QueryEscape(`displayName eq "payments"`)
	if a := w.want(200, "GET", "/scim/v2/Groups?excludedAttributes=members&filter="+filter, nil); a.body["totalResults"] != 1.0 || strings.Contains(a.text, "members") {
		t.Error(a.text)
	}
	if a := w.want(200, "GET", "/scim/v2/Groups?filter="+url.QueryEscape(`members.value eq "`+people[2]+`"`), nil); a.body["totalResults"] != 1.0 {
		t.Error(a.text)
	}
	w.want(204, "DELETE", "/scim/v2/Users/"+people[2], nil)
	is("a member was deleted", people[0])
	w.want(409, "POST", "/scim/v2/Groups", object{"displayName": "other", "externalId": payments})
	w.group("Payments", "another external id")
	w.want(204, "PATCH", path, patchOf(object{"op": "remove", "path": "members"}))
	is("all removed")
	w.want(204, "DELETE", path, nil)
	w.want(404, "PATCH", path, add(people[0]))
}

func TestVersions(t *testing.T) { onBoth(t, versions) }

// versions lets two clients change one resource.
func versions(t *testing.T, db storetest.Database) {
	w := newWorld(t, db)
	id := w.user("ada", ada)
	path := "/scim/v2/Users/" + id
	tag := w.want(200, "GET", path, nil).header.Get("ETag")
	if a := w.want(304, "GET", path, nil, "If-None-Match", tag); a.text != "" {
		t.Error(a.text)
	}
	rename := func(name string) object {
		return patchOf(object{"op": "replace", "path": "displayName", "value": name})
	}
	w.want(200, "PATCH", path, rename("one"), "If-Match", tag)
	w.want(412, "PATCH", path, rename("two"), "If-Match", tag)
	w.want(412, "DELETE", path, nil, "If-Match", tag)
	w.want(200, "PATCH", path, rename("three"), "If-Match", "*")
	if a := w.want(200, "GET", path, nil, "If-None-Match", tag); a.body["displayName"] != "three" {
		t.Error(a.text)
	}
}

func TestTwoAtOnce(t *testing.T) { onBoth(t, twoAtOnce) }

// twoAtOnce lets several clients add members to one group at the same time, through two replicas: none is lost.
func twoAtOnce(t *testing.T, db storetest.Database) {
	w := newWorld(t, db)
	_, other := w.serve(db.Open(t, "two"), w.directory)
	id := w.group("devs", payments)
	var people []string
	for i := range 24 {
		people = append(people, w.user(fmt.Sprintf("user-%d", i), ""))
	}
	var all sync.WaitGroup
	for i, person := range people {
		base := []string{w.server.URL, other.URL}[i%2]
		all.Go(func() {
			if a := w.at(base, "PATCH", "/scim/v2/Groups/"+id, patchOf(object{"op": "Add", "path": "members", "value": []object{{"value": person}}})); a.status != 204 {
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
	all.Wait()
	a := w.want(200, "GET", "/scim/v2/Groups/"+id, nil)
	if list, _ := a.body["members"].([]any); len(list) != len(people) {
		t.Errorf("%d members, want %d", len(list), len(people))
	}
}

// Lists are paged, sorted, and found by a question in a body.
func TestLists(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for i := range 5 {
		w.user(fmt.Sprintf("user-%d", i), "")
	}
	w.group("devs", "")
	names := func(a answer) (all []string) {
		list, _ := a.body["Resources"].([]any)
		for _, one := range list {
			doc := one.(map[string]any)
			all = append(all, text(doc, "userName")+text(doc, "displayName"))
		}
		return all
	}
	for query, want := range map[string]string{
		"startIndex=2&count=2&attributes=userName":                         "user-1 user-2",
		"startIndex=5&count=9&attributes=userName":                         "user-4",
		"startIndex=6&attributes=userName":                                 "",
		"count=0":                                                          "",
		"count=2&sortBy=userName&sortOrder=descending&attributes=userName": "user-4 user-3",
		"filter=" + url.QueryEscape(`userName gt "user-2"`) + "&count=1&startIndex=2&attributes=userName": "user-4",
	} {
		a := w.want(200, "GET", "/scim/v2/Users?"+query, nil)
		if got := strings.Join(names(a), " "); got != want || a.body["totalResults"] != 5.0 && !strings.Contains(query, "filter") {
			t.Errorf("%s: %q, %s", query, got, a.text)
		}
	}
	search := object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": `displayName co "s"`, "attributes": []string{"displayName"}, "count": 3, "startIndex": 4}
	a := w.want(200, "POST", "/scim/v2/.search", search)
	if got := strings.Join(names(a), " "); got != "USER-3 USER-4 devs" || a.body["totalResults"] != 6.0 {
		t.Errorf("search: %q %s", got, a.text)
	}
	if a := w.want(200, "POST", "/scim/v2/Groups/.search", object{"schemas": search["schemas"]}); a.body["totalResults"] != 1.0 {
		t.Error(a.text)
	}
}

// Discovery says what there is, and nothing more.
func TestDiscovery(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for _, path := range []string{"/ServiceProviderConfig", "/serviceConfiguration", "/Schemas", "/ResourceTypes", "/Schemas/" + userSchema, "/ResourceTypes/Group"} {
		a := w.want(200, "GET", "/scim/v2"+path, nil)
		if a.header.Get("Content-Type") != "application/scim+json" || strings.Contains(a.text, "null") || len(a.body) == 0 {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	w.want(403, "GET", "/scim/v2/Schemas?filter="+url.QueryEscape(`id eq "x"`), nil)
	w.want(404, "GET", "/scim/v2/Schemas/urn:none", nil)
	w.want(501, "GET", "/scim/v2/Me", nil)
	w.want(404, "GET", "/scim/v2/Nothing", nil)
	if a := w.want(405, "PUT", "/scim/v2/Users", nil); a.header.Get("Allow") != "GET, POST" {
		t.Error(a.header)
	}
	w.want(405, "POST", "/scim/v2/Users/x", nil)
	w.want(404, "GET", "/scim/v2/Users/"+strings.Repeat("x", 100), nil)
}

// A bulk makes users and a group of them.
func TestBulk(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	a := w.want(200, "POST", "/scim/v2/Bulk", object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": []object{
		{"method": "POST", "path": "/Groups", "bulkId": "g", "data": object{"schemas": []string{groupSchema}, "displayName": "devs", "members": []object{{"value": "bulkId:u"}}}},
		{"method": "POST", "path": "/Users", "bulkId": "u", "data": object{"schemas": []string{userSchema}, "userName": "ada"}},
		{"method": "POST", "path": "/Users", "bulkId": "v", "data": object{"schemas": []string{userSchema}, "userName": "ADA"}},
		{"method": "DELETE", "path": "/Users/none"},
	}})
	list, _ := a.body["Operations"].([]any)
	var got []string
	for _, one := range list {
		doc, _ := json.Marshal(one.(map[string]any)["status"])
		got = append(got, string(doc))
	}
	if slices.Sort(got); !slices.Equal(got, []string{`"201"`, `"201"`, `"404"`, `"409"`}) {
		t.Fatalf("%v: %s", got, a.text)
	}
	if a := w.want(200, "GET", "/scim/v2/Groups", nil); strings.Count(a.text, `"display":"ada"`) != 1 {
		t.Error(a.text)
	}
}
