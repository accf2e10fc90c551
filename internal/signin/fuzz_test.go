package signin

import (
	"encoding/json"
	"slices"
	"testing"
)

// FuzzClaimsOfAnyProvider: whatever a provider claims, the person is the token's subject, and every group has a name.
func FuzzClaimsOfAnyProvider(f *testing.F) {
	for _, claims := range []string{
		`{"groups":["a","b"],"email":"ada@contoso.example"}`, `{"groups":"a"}`, `{"groups":{"a":{"1":"contoso.example"}},"roles":{"r":["x"]}}`, `{"groups":{"":1}}`,
		`{"roles":{"r":null},"groups":[1,null,"",{"a":1},["b"]]}`, `{"hasgroups":true}`, `{"acr":0,"auth_time":"1","sid":[],"name":{}}`, `{"acr":"0","auth_time":1e99}`, `null`,
	} {
		f.Add(claims)
	}
	const subject = "auth|ada"
	g := generic{tenant: Tenant{ID: "https://idp.example.test", OIDC: &OIDC{Groups: []string{"groups"}, Roles: []string{"roles", "r"}}}}
	f.Fuzz(func(t *testing.T, claims string) {
		var said map[string]json.RawMessage
		if json.Unmarshal([]byte(claims), &said) != nil {
			return
		}
		user, c, err := g.read(subject, said)
		if err != nil {
			if user.Object != "" {
				t.Errorf("%s is refused, and is %s", claims, user)
			}
			return
		}
		if user.Tenant != g.tenant.ID || user.Object != subject || c.UserName == "" || c.Name == "" || slices.Contains(c.Groups, "") || slices.Contains(c.Roles, "") {
			t.Errorf("%s is %+v, %+v", claims, user, c)
		}
	})
}
