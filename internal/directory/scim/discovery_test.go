package scim_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// Every attribute has all characteristics of RFC 7643 §7, with values that exist.
func TestSchemasComplete(t *testing.T) {
	allowed := map[string][]string{
		"type":       {"string", "boolean", "complex", "reference", "binary", "dateTime"},
		"mutability": {"readOnly", "readWrite", "immutable", "writeOnly"},
		"returned":   {"always", "never", "default", "request"},
		"uniqueness": {"none", "server", "global"},
	}
	b, err := json.Marshal(registry.Schemas("https://x.example.test/scim/v2"))
	if err != nil {
		t.Fatal(err)
	}
	var all []o
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	var check func(where string, list any)
	check = func(where string, list any) {
		seen := map[string]bool{}
		for _, a := range list.(l) {
			a := a.(o)
			name, _ := a["name"].(string)
			at := where + "." + name
			for key, values := range allowed {
				if s, _ := a[key].(string); !slices.Contains(values, s) {
					t.Errorf("%s: %s is %q", at, key, s)
				}
			}
			for _, key := range []string{"multiValued", "required", "caseExact"} {
				if _, ok := a[key].(bool); !ok {
					t.Errorf("%s: %s is %v", at, key, a[key])
				}
			}
			if a["description"] == "" || seen[strings.ToLower(name)] {
				t.Errorf("%s has no description, or is there twice", at)
			}
			seen[strings.ToLower(name)] = true
			if (a["type"] == "complex") != (a["subAttributes"] != nil) || (a["type"] == "reference") != (a["referenceTypes"] != nil) {
				t.Errorf("%s: a %v with %v and %v", at, a["type"], a["subAttributes"], a["referenceTypes"])
			}
			if a["subAttributes"] != nil {
				check(at, a["subAttributes"])
			}
		}
	}
	for _, s := range all {
		check(s["id"].(string), s["attributes"])
	}
	if len(all) != 3 {
		t.Errorf("%d schemas", len(all))
	}
}

func TestResourceTypesAndConfig(t *testing.T) {
	base := "https://x.example.test/scim/v2"
	types := registry.ResourceTypes(base)
	if len(types) != 2 {
		t.Fatalf("%d resource types", len(types))
	}
	same(t, "users", types[0], scim.Resource{
		"schemas": l{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": "User", "name": "User", "endpoint": "/Users", "description": "User Account",
		"schema": scim.UserURN, "schemaExtensions": l{o{"schema": scim.EnterpriseURN, "required": false}},
		"meta": o{"resourceType": "ResourceType", "location": base + "/ResourceTypes/User"},
	})
	c := registry.ServiceProviderConfig(scim.ProviderConfig{Base: base, MaxBulkOperations: 100, MaxBulkPayload: 1 << 20, MaxResults: 200})
	for _, name := range []string{"patch", "bulk", "filter", "changePassword", "sort", "etag"} {
		if _, ok := c[name].(o)["supported"].(bool); !ok {
			t.Errorf("%s is not said to be supported or not", name)
		}
	}
	same(t, "bulk", c["bulk"], o{"supported": true, "maxOperations": 100, "maxPayloadSize": 1 << 20})
	for _, scheme := range c["authenticationSchemes"].(l) {
		for _, key := range []string{"type", "name", "description", "specUri"} {
			if scheme.(o)[key] == "" {
				t.Errorf("a scheme without %s: %v", key, scheme)
			}
		}
	}
}

func TestErrorOnTheWire(t *testing.T) {
	b, err := json.Marshal(&scim.Error{Status: 409, ScimType: scim.Uniqueness, Detail: "There is one."})
	if want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"There is one."}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}
