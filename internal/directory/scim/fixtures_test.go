package scim_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// What Entra's documentation sends to /Users and /Groups is read, and what it expects back is what we make of it.
func TestEntraExchanges(t *testing.T) {
	type body = json.RawMessage
	var exchanges []struct {
		Name    string
		Request struct {
			Method, Path string
			Body         body
		}
		Response struct{ Body body }
	}
	fixture(t, "entra-tutorial-exchanges.json", &exchanges)
	if len(exchanges) < 19 {
		t.Fatalf("%d exchanges", len(exchanges))
	}
	for _, e := range exchanges {
		address, err := url.Parse(strings.ReplaceAll(e.Request.Path, " ", "%20"))
		if err != nil {
			t.Fatal(err)
		}
		endpoint, _, _ := strings.Cut(address.Path[1:], "/")
		k, ok := scim.KindOf(endpoint)
		if !ok {
			t.Fatalf("%s: no kind at %s", e.Name, endpoint)
		}
		if _, err := registry.ParseQuery(k, address.Query(), 100); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		switch e.Request.Method {
		case "POST":
			res, _, err := registry.Decode(k, e.Request.Body)
			if err != nil {
				t.Errorf("%s: %v", e.Name, err)
				continue
			}
			for name, want := range parsed(t, string(e.Request.Body)) {
				if list, ok := want.([]any); want == nil || ok && len(list) == 0 || name == "schemas" || name == "meta" {
					continue
				}
				same(t, e.Name+": "+name, res[name], want)
			}
		case "PATCH":
			res := scim.Resource{"userName": "u"}
			if k == scim.Group {
				res = scim.Resource{"displayName": "g"}
			}
			got, err := registry.Patch(k, res, e.Request.Body)
			if err != nil || !got.Changed && len(got.Members) != 1 {
				t.Errorf("%s: %+v, %v", e.Name, got, err)
			}
		}
	}
}

// Both dialects end in the same: the flag changes how it is said, not what.
func TestEntraDialects(t *testing.T) {
	var variants []struct {
		Case    string
		Without json.RawMessage `json:"without_flag"`
		With    json.RawMessage `json:"with_flag"`
	}
	fixture(t, "aadoptscim062020-patch-variants.json", &variants)
	enterprise := func(number string) o { return o{"employeeNumber": number} }
	want := map[string][2]scim.Resource{
		"disable user":            {{"userName": "u", "active": false}, {"userName": "u", "active": false}},
		"add single-value string": {{"userName": "u", "nickName": "Babs", "active": true}, {"userName": "u", "nickName": "Babs", "active": true}},
		"replace multiple attributes": {
			{"userName": "u", "active": true, "displayName": "Pvlo", "emails": l{o{"type": "work", "value": "TestBcwqnm@test.microsoft.com"}}, "name": o{"givenName": "Gtfd", "familyName": "Pkqf"}, "externalId": "Eqpj", scim.EnterpriseURN: enterprise("Eqpj")},
			{"userName": "u", "active": true, "displayName": "Bjfe", "emails": l{o{"type": "work", "value": "TestMhvaes@test.microsoft.com"}}, "name": o{"givenName": "Kkom", "familyName": "Unua"}, scim.EnterpriseURN: enterprise("Aklq")},
		},
	}
	for _, v := range variants {
		for i, body := range []json.RawMessage{v.Without, v.With} {
			if v.Case == "remove group member" {
				got, err := registry.Patch(scim.Group, scim.Resource{"displayName": "g"}, body)
				if err != nil || len(got.Members) != 1 || got.Members[0].Op != scim.RemoveMember || got.Changed {
					t.Errorf("%s: %+v, %v", v.Case, got, err)
				}
				continue
			}
			got, err := registry.Patch(scim.User, scim.Resource{"userName": "u", "active": true}, body)
			if err != nil {
				t.Errorf("%s: %v", v.Case, err)
				continue
			}
			same(t, v.Case, got.Resource, want[v.Case][i])
		}
	}
}

func TestEntraRoles(t *testing.T) {
	var cases []struct {
		Case string
		Body json.RawMessage
	}
	fixture(t, "roles-and-custom-attributes.json", &cases)
	want := map[string][]string{
		"SingleAppRoleAssignment POST":                                  {"Admin"},
		"SingleAppRoleAssignment PATCH (value is JSON inside a string)": {"Old", "25"},
		"AppRoleAssignmentsComplex POST":                                {"Admin", "User"},
		"AppRoleAssignmentsComplex PATCH":                               {"Old", "Admin", "User"},
		"AssertiveAppRoleAssignmentsComplex POST":                       {"User", "Test"},
		"AssertiveAppRoleAssignmentsComplex PATCH":                      {"User", "Test"},
	}
	for _, c := range cases {
		var res scim.Resource
		var err error
		switch {
		case strings.Contains(c.Case, "PATCH"):
			var p scim.Patched
			p, err = registry.Patch(scim.User, scim.Resource{"userName": "u", "roles": l{o{"value": "Old"}}}, c.Body)
			res = p.Resource
		case c.Case == "phone numbers": // a part of a user
			_, _, err = registry.Decode(scim.User, c.Body)
			refused(t, c.Case, err, 400, scim.InvalidValue)
			continue
		default:
			res, _, err = registry.Decode(scim.User, c.Body)
		}
		if err != nil {
			t.Errorf("%s: %v", c.Case, err)
			continue
		}
		same(t, c.Case, res.AppRoles(), want[c.Case])
		if c.Case == "user with extension attributes" {
			same(t, c.Case, res[scim.EnterpriseURN].(o)["manager"], o{"value": "26118915-6090-4610-87e4-49d8ca9f808d", "$ref": "../Users/26118915-6090-4610-87e4-49d8ca9f808d"})
		}
	}
}

// Our schemas say of each documented attribute what Microsoft's sample says of it, in the same form.
func TestSchemasAsDocumented(t *testing.T) {
	var sample struct {
		Resources []struct {
			ID         string
			Attributes []o
			Meta       o
		}
	}
	fixture(t, "schemas-response.doc.json", &sample)
	b, err := json.Marshal(scim.List{Total: 3, Resources: registry.Schemas("https://x.example.test/scim/v2")})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "null") {
		t.Error("there is null in the schemas")
	}
	var ours struct {
		Resources []struct {
			ID         string
			Attributes []o
			Meta       o
		}
	}
	if err := json.Unmarshal(b, &ours); err != nil {
		t.Fatal(err)
	}
	for _, want := range sample.Resources {
		for _, got := range ours.Resources {
			if got.ID != want.ID {
				continue
			}
			same(t, want.ID, got.Meta["location"], "https://x.example.test/scim"+want.Meta["location"].(string))
			for _, a := range want.Attributes {
				found := false
				for _, b := range got.Attributes {
					if found = found || a["name"] == b["name"]; a["name"] != b["name"] {
						continue
					}
					delete(a, "description")
					delete(b, "description")
					if a["name"] == "displayName" { // required by RFC 7643 §4.2; the sample says it in words only
						a["required"] = true
					}
					if !reflect.DeepEqual(a, b) {
						t.Errorf("%s: %v, documented %v", want.ID, b, a)
					}
				}
				if !found {
					t.Errorf("%s lacks %v", want.ID, a["name"])
				}
			}
		}
	}
}
