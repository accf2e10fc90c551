package provisioning

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// plain is a value as JSON has it.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got, want := plain(t, got), plain(t, want); !reflect.DeepEqual(got, want) {
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		t.Errorf("%s:\n got %s\nwant %s", what, a, b)
	}
}

func readSamples[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBothDialectsAreAsDocumented(t *testing.T) {
	samples := map[string]struct{ Without, With any }{}
	for _, s := range readSamples[map[string]any](t, "aadoptscim062020-patch-variants.json") {
		samples[s["case"].(string)] = struct{ Without, With any }{s["without_flag"], s["with_flag"]}
	}
	old, modern := dialect{}, dialect{modern: true}
	number := enterprise + ":employeeNumber"
	for name, ops := range map[string]struct{ old, modern []operation }{
		"disable user": {
			old.operations([]edit{{"active", true, false}}), modern.operations([]edit{{"active", true, false}}),
		},
		"add single-value string": {
			old.operations([]edit{{"nickName", nil, "Babs"}}), modern.operations([]edit{{"nickName", nil, "Babs"}}),
		},
		"replace multiple attributes": {
			old.operations([]edit{
				{"displayName", "x", "Pvlo"}, {`emails[type eq "work"].value`, "x", "TestBcwqnm@test.microsoft.com"}, {"name.givenName", "x", "Gtfd"},
				{"name.familyName", "x", "Pkqf"}, {"externalId", "x", "Eqpj"}, {number, "x", "Eqpj"},
			}),
			modern.operations([]edit{
				{"displayName", "x", "Bjfe"}, {`emails[type eq "work"].value`, "x", "TestMhvaes@test.microsoft.com"}, {"name.givenName", "x", "Kkom"},
				{"name.familyName", "x", "Unua"}, {number, "x", "Aklq"},
			}),
		},
		"remove group member": {
			nil, modern.removeMembers([]string{"7f4bc1a3-285e-48ae-8202-5accb43efb0e"}),
		},
	} {
		if ops.old != nil {
			same(t, name+", without the flag", patchBody(ops.old), samples[name].Without)
		}
		same(t, name+", with the flag", patchBody(ops.modern), samples[name].With)
	}
}

func TestRolesAreAsDocumented(t *testing.T) {
	samples := map[string]map[string]any{}
	for _, s := range readSamples[map[string]any](t, "roles-and-custom-attributes.json") {
		samples[s["case"].(string)], _ = s["body"].(map[string]any)
	}
	posted := func(name string) any { return samples[name+" POST"]["roles"] }
	admin := entrasim.AppRole{ID: "06b07648-ecfe-589f-9d2f-6325724a46ee", Value: "Admin", DisplayName: "Admin"}
	user := entrasim.AppRole{ID: "06b07648-ecfe-599f-9d2f-6325724a46ee", Value: "User", DisplayName: "User"}
	test := entrasim.AppRole{Value: "Test", DisplayName: "Test"}
	old := dialect{}
	same(t, "single POST", Single.posted([]entrasim.AppRole{admin}), posted("SingleAppRoleAssignment"))
	same(t, "complex POST", Complex.posted([]entrasim.AppRole{admin, user}), posted("AppRoleAssignmentsComplex"))
	same(t, "assertive POST", Assertive.posted([]entrasim.AppRole{user, test}), posted("AssertiveAppRoleAssignmentsComplex"))
	role := entrasim.AppRole{ID: "06b07648-ecfe-589f-9d2f-6325724a46ee", Value: "25", DisplayName: "Role1234"}
	same(t, "single PATCH", patchBody(Single.changed(old, []entrasim.AppRole{role})), samples["SingleAppRoleAssignment PATCH (value is JSON inside a string)"])
	same(t, "complex PATCH", patchBody(Complex.changed(old, []entrasim.AppRole{admin, user})), samples["AppRoleAssignmentsComplex PATCH"])
	same(t, "assertive PATCH", patchBody(Assertive.changed(old, []entrasim.AppRole{user, test})), samples["AssertiveAppRoleAssignmentsComplex PATCH"])
	if ops := Complex.changed(old, nil); ops != nil {
		t.Errorf("the complex mode takes roles away: %v", ops)
	}
}

type exchange struct {
	Name    string
	Request struct {
		Method, Path string
		Body         map[string]any
	}
}

func TestResourcesAreAsDocumented(t *testing.T) {
	samples := map[string]map[string]any{}
	for _, e := range readSamples[exchange](t, "entra-tutorial-exchanges.json") {
		samples[e.Name] = e.Request.Body
	}
	user := entrasim.ExtractedUser{User: entrasim.User{
		ID: "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", UserPrincipalName: "Test_User_00aa00aa-bb11-cc22-dd33-44ee44ee44ee",
		GivenName: "givenName", Surname: "familyName", Mail: "Test_User_11bb11bb-cc22-dd33-ee44-55ff55ff55ff@testuser.com", AccountEnabled: true,
	}}
	made := userResource(ObjectIDUsers().ofUser(user, true), Quirks{}, dialect{})
	made["roles"] = []any{}
	same(t, "create user", made, samples["Create User"])

	joy := entrasim.ExtractedUser{User: entrasim.User{UserPrincipalName: "jyoung@testuser.com", DisplayName: "Joy Young", GivenName: "Joy", Surname: "Young", Mail: "jyoung@Contoso.com"}}
	m := DefaultUsers()
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a Attribute) bool { return a.To == "name.formatted" || a.From == "employeeId" })
	made = userResource(m.ofUser(joy, true), Quirks{Nulls: true, MalformedURN: true}, dialect{})
	made["manager"] = nil
	same(t, "create user with nulls", made, samples["Provision user with nulls (Example 2; schema URN lacks its last colon in the doc)"])

	old, member := dialect{}, "f648f8d5ea4e4cd38e9c"
	same(t, "add members", patchBody(old.addMembers([]string{member})), samples["Update Group add members"])
	same(t, "remove members", patchBody(old.removeMembers([]string{member})), samples["Update Group remove members"])
	same(t, "manager", patchBody(old.manager("http://.../scim", "00aa00aa-bb11-cc22-dd33-44ee44ee44ee")), samples["Manager add (Example 5)"])
}
