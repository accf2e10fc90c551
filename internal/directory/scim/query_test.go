package scim_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

func TestProjection(t *testing.T) {
	res := func() scim.Resource {
		return parsed(t, `{"schemas":["s"],"id":"1","userName":"u","name":{"givenName":"g","familyName":"f"},"emails":[{"value":"v","type":"work"},{"type":"home"}],
			"meta":{"version":"1"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"7"}}}`)
	}
	for _, c := range []struct{ attributes, excluded, want string }{
		{"", "", `{"schemas":["s"],"id":"1","userName":"u","name":{"givenName":"g","familyName":"f"},"emails":[{"value":"v","type":"work"},{"type":"home"}],"meta":{"version":"1"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"7"}}}`},
		{"USERNAME, name.givenname,emails.value,shoeSize", "", `{"schemas":["s"],"id":"1","userName":"u","name":{"givenName":"g"},"emails":[{"value":"v"}]}`},
		{"id", "", `{"schemas":["s"],"id":"1"}`},
		{"shoeSize", "", `{"schemas":["s"],"id":"1"}`},
		{"manager.value", "", `{"schemas":["s"],"id":"1","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}`},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "", `{"schemas":["s"],"id":"1","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"7"}}}`},
		{"name,name.givenName", "", `{"schemas":["s"],"id":"1","name":{"givenName":"g","familyName":"f"}}`},
		{"", "id,schemas,name.givenName,emails,department,meta,manager", `{"schemas":["s"],"id":"1","userName":"u","name":{"familyName":"f"}}`},
		{"", "emails.type,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,name.givenName,name.familyName,meta", `{"schemas":["s"],"id":"1","userName":"u","emails":[{"value":"v"}]}`},
	} {
		p, err := registry.ParseProjection(scim.User, c.attributes, c.excluded)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		given := res()
		same(t, c.attributes+" without "+c.excluded, p.Apply(given), parsed(t, c.want))
		same(t, "what was given", given, res())
	}
	for _, c := range []struct {
		attributes, excluded string
		wants                bool
	}{{"", "", true}, {"displayName", "", false}, {"members", "", true}, {"members.value", "", true}, {"", "MEMBERS", false}, {"", "members.display", true}, {scim.GroupURN, "", true}} {
		p, err := registry.ParseProjection(scim.Group, c.attributes, c.excluded)
		if err != nil || p.Wants("members") != c.wants {
			t.Errorf("%+v: %v, %v", c, p.Wants("members"), err)
		}
	}
}

func TestQuery(t *testing.T) {
	for query, want := range map[string][2]int{"": {1, 50}, "startIndex=3&count=10": {3, 10}, "startIndex=-3&count=-1": {1, 0}, "startIndex=0&count=0": {1, 0}, "count=9999": {1, 50}} {
		v, _ := url.ParseQuery(query)
		q, err := registry.ParseQuery(scim.User, v, 50)
		if err != nil || q.Start != want[0] || q.Count != want[1] {
			t.Errorf("%s: %d %d, %v", query, q.Start, q.Count, err)
		}
	}
	for query, scimType := range map[string]string{
		"count=ten": scim.InvalidValue, "startIndex=1.5": scim.InvalidValue, "sortOrder=up": scim.InvalidValue, "sortBy=name": scim.InvalidPath,
		"sortBy=a.b.c": scim.InvalidPath, "attributes=a b": scim.InvalidPath, "filter=x": scim.InvalidFilter,
	} {
		v, _ := url.ParseQuery(query)
		_, err := registry.ParseQuery(scim.User, v, 50)
		refused(t, query, err, 400, scimType)
	}
	q, err := registry.ParseSearch(scim.User, []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["userName"],"filter":"userName sw \"a\"","sortBy":"userName","sortOrder":"descending","startIndex":2,"count":1}`), 50)
	if err != nil || q.Start != 2 || q.Count != 1 || q.Sort.IsZero() || q.Projection.Wants("emails") || q.Filter.Match(scim.Resource{"userName": "b"}) {
		t.Errorf("search: %+v, %v", q, err)
	}
	for body, scimType := range map[string]string{`{"count":"x"}`: scim.InvalidValue, `{"filter":7}`: scim.InvalidValue, `{"attributes":[7]}`: scim.InvalidValue, `{"schemas":["x"]}`: scim.InvalidSyntax, `[]`: scim.InvalidSyntax} {
		_, err := registry.ParseSearch(scim.User, []byte(body), 50)
		refused(t, body, err, 400, scimType)
	}
}

func TestSort(t *testing.T) {
	all := func() []scim.Resource {
		return []scim.Resource{
			{"id": "1", "userName": "b", "active": true, "emails": l{o{"value": "z"}, o{"value": "a", "primary": true}}},
			{"id": "2", "userName": "A", "active": false, "name": o{"familyName": "x"}},
			{"id": "3", "userName": "C", "emails": l{o{"value": "B"}}},
		}
	}
	for query, want := range map[string][]string{
		"":                                     {"1", "2", "3"},
		"sortBy=userName":                      {"2", "1", "3"},
		"sortBy=username&sortOrder=DESCENDING": {"3", "1", "2"},
		"sortBy=emails":                        {"1", "3", "2"}, // who has none comes last
		"sortBy=emails.value&sortOrder=descending": {"2", "3", "1"},
		"sortBy=name.familyName":                   {"2", "1", "3"},
		"sortBy=active":                            {"2", "1", "3"},
		"sortBy=shoeSize":                          {"1", "2", "3"},
		"sortOrder=descending":                     {"1", "2", "3"},
	} {
		v, _ := url.ParseQuery(query)
		q, err := registry.ParseQuery(scim.User, v, 50)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		list := all()
		slices.SortStableFunc(list, q.Sort.Compare)
		var ids []string
		for _, r := range list {
			ids = append(ids, r.Text("id"))
		}
		same(t, query, ids, want)
	}
}
