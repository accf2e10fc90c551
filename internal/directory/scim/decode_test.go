package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

func TestDecodeUser(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"capitals, booleans as strings, unknown and null": {
			`{"SCHEMAS":["x"],"USERNAME":"ada@contoso.example","Active":"False","NickName":null,"shoeSize":43,"emails":[{"Type":"work","VALUE":"a@b","primary":"True","colour":1},null]}`,
			`{"userName":"ada@contoso.example","active":false,"emails":[{"type":"work","value":"a@b","primary":true}]}`,
		},
		"what only the server says": {
			`{"id":"other","meta":{"version":"1"},"groups":[{"value":"admins"}],"userName":"u"}`,
			`{"userName":"u"}`,
		},
		"the extension under its URN, a URN without its last colon, flat and with dots": {
			`{"userName":"u","urn:ietf:params:scim:schemas:extension:ENTERPRISE:2.0User":{"Department":"D","manager":{"value":"m","displayName":"M"}},
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter":"7","division":"V"}`,
			`{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"m"},"costCenter":"7","division":"V"}}`,
		},
		"an extension nobody knows": {
			`{"userName":"u","urn:ietf:params:scim:schemas:extension:Custom:2.0:User":{"x":1}}`, `{"userName":"u"}`,
		},
		"externalId is a string of digits": {`{"userName":"u","externalId":"1"}`, `{"userName":"u","externalId":"1"}`},
		"roles as JSON in a string, and with displayName": {
			`{"userName":"u","roles":[{"value":"{\"id\":\"1\",\"value\":\"Lead\",\"displayName\":\"A lead\"}"},{"value":"Dev","displayName":"A developer"},"Ops"]}`,
			`{"userName":"u","roles":[{"value":"Lead","display":"A lead"},{"value":"Dev","display":"A developer"},{"value":"Ops"}]}`,
		},
		"nothing in lists and objects": {`{"userName":"u","roles":[],"name":{},"emails":[{}]}`, `{"userName":"u"}`},
	} {
		got, members, err := registry.Decode(scim.User, []byte(c.body))
		if err != nil || members != nil {
			t.Errorf("%s: %v, members %v", name, err, members)
			continue
		}
		same(t, name, got, parsed(t, c.want))
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		body     string
		status   int
		scimType string
	}{
		"no userName":             {`{"externalId":"x"}`, 400, scim.InvalidValue},
		"blank userName":          {`{"userName":"  "}`, 400, scim.InvalidValue},
		"numeric externalId":      {`{"userName":"u","externalId":1}`, 400, scim.InvalidValue},
		"an object as userName":   {`{"userName":{"value":"u"}}`, 400, scim.InvalidValue},
		"a list as userName":      {`{"userName":["u"]}`, 400, scim.InvalidValue},
		"neither true nor false":  {`{"userName":"u","active":"no"}`, 400, scim.InvalidValue},
		"two primary":             {`{"userName":"u","emails":[{"value":"a","primary":true},{"value":"b","primary":"true"}]}`, 400, scim.InvalidValue},
		"a name twice":            {`{"userName":"u","userName":"admin"}`, 400, scim.InvalidSyntax},
		"a name in two capitals":  {`{"userName":"u","username":"admin"}`, 400, scim.InvalidSyntax},
		"a name twice, deeper":    {`{"userName":"u","name":{"givenName":"a","GIVENNAME":"b"}}`, 400, scim.InvalidSyntax},
		"a name twice among many": {`{"userName":"u",` + manyNames(40) + `,"X39":1}`, 400, scim.InvalidSyntax},
		"not an object":           {`[{"userName":"u"}]`, 400, scim.InvalidSyntax},
		"half":                    {`{"userName":"u"`, 400, scim.InvalidSyntax},
		"more than one":           {`{"userName":"u"}{}`, 400, scim.InvalidSyntax},
		"empty":                   {``, 400, scim.InvalidSyntax},
		"not UTF-8":               {"{\"userName\":\"\xff\"}", 400, scim.InvalidSyntax},
		"a NUL":                   {`{"userName":"u\u0000"}`, 400, scim.InvalidValue},
		"deep":                    {`{"userName":"u","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400, scim.InvalidSyntax},
		"a long string":           {`{"userName":"` + strings.Repeat("u", 70_000) + `"}`, 400, scim.InvalidValue},
		"many values":             {`{"userName":"u","emails":[` + strings.Repeat(`"a",`, 1500) + `"b"]}`, 400, scim.InvalidValue},
		"no base64":               {`{"userName":"u","x509Certificates":["ä"]}`, 400, scim.InvalidValue},
		"a huge body":             {`{"userName":"u","x":"` + strings.Repeat(" ", 17<<20) + `"}`, 413, ""},
		"packed role":             {`{"userName":"u","roles":["{\"value\":7}"]}`, 400, scim.InvalidValue},
		"packed role, nameless":   {`{"userName":"u","roles":["{}"]}`, 400, scim.InvalidValue},
	} {
		_, _, err := registry.Decode(scim.User, []byte(c.body))
		refused(t, name, err, c.status, c.scimType)
	}
	_, _, err := registry.Decode(scim.Group, []byte(`{"displayName":"g","members":[{"display":"nobody"}]}`))
	refused(t, "a member without id", err, 400, scim.InvalidValue)
}

func TestDecodeGroup(t *testing.T) {
	for body, want := range map[string][]scim.Member{
		`{"displayName":"g"}`:                nil,
		`{"displayName":"g","members":null}`: {},
		`{"displayName":"g","members":[]}`:   {},
		`{"displayName":"g","members":[{"value":"1","$ref":"https://x.example.test/scim/v2/Groups/1"},{"value":"2","type":"user","$ref":null},"3"]}`: {
			{Value: "1", Type: scim.Group}, {Value: "2", Type: scim.User}, {Value: "3"}},
	} {
		res, members, err := registry.Decode(scim.Group, []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		same(t, body, members, want)
		same(t, body, res, scim.Resource{"displayName": "g"})
	}
}

// A PUT replaces everything, but does not enable by silence.
func TestReplace(t *testing.T) {
	old := scim.Resource{"userName": "u", "title": "T", "active": false}
	next, changed := registry.Replace(scim.User, old, scim.Resource{"userName": "u"})
	same(t, "replaced", next, scim.Resource{"userName": "u", "active": false})
	if !changed {
		t.Error("the title is gone, but nothing changed")
	}
	if _, changed = registry.Replace(scim.User, old, scim.Resource{"userName": "u", "title": "T", "active": false}); changed {
		t.Error("the same is a change")
	}
}

func TestComplete(t *testing.T) {
	res := scim.Resource{"userName": "u", scim.EnterpriseURN: o{"department": "D"}}
	full := registry.Complete(scim.User, res, scim.Meta{ID: "1", Base: "https://x.example.test/scim/v2", Version: 7})
	same(t, "completed", full, scim.Resource{
		"schemas": l{scim.UserURN, scim.EnterpriseURN}, "id": "1", "userName": "u", scim.EnterpriseURN: o{"department": "D"},
		"meta": o{"resourceType": "User", "location": "https://x.example.test/scim/v2/Users/1", "version": `W/"7"`, "created": "0001-01-01T00:00:00.000Z", "lastModified": "0001-01-01T00:00:00.000Z"},
	})
	for header, want := range map[string]bool{`W/"7"`: true, `"7"`: true, `*`: true, `W/"6", W/"7"`: true, `W/"70"`: false, ``: false, `7`: false} {
		if scim.MatchesETag(header, 7) != want {
			t.Errorf("%s matches: %v", header, !want)
		}
	}
}

func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"x%d":1`, i)
	}
	return strings.Join(names, ",")
}
