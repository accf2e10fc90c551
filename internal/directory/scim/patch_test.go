package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

const before = `{"userName":"ada","externalId":"x","active":true,"name":{"givenName":"Ada","familyName":"Byron"},
	"emails":[{"type":"work","value":"w@a","primary":true},{"type":"home","value":"h@a"}],
	"roles":[{"value":"Lead","type":"T","primary":true}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"1","$ref":"../Users/1"}}}`

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func patch(k scim.Kind, res scim.Resource, ops string) (scim.Patched, error) {
	return registry.Patch(k, res, []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+ops+`]}`))
}

// Each case says what is different afterwards: an attribute with its value, or null where there is none.
func TestPatchUser(t *testing.T) {
	for name, c := range map[string]struct{ ops, want string }{
		"disable, by a string":      {`{"op":"Replace","path":"active","value":"False"}`, `{"active":false}`},
		"disable, path-less":        {`{"op":"replace","value":{"active":false}}`, `{"active":false}`},
		"nothing new":               {`{"op":"Replace","path":"userName","value":"ada"}`, `{}`},
		"unknown":                   {`{"op":"Add","path":"shoeSize","value":43},{"op":"Add","path":"urn:x:y:2.0:User:z","value":1},{"op":"remove","path":"emails[type eq \"work\"].colour"}`, `{}`},
		"externalId is opaque":      {`{"op":"replace","path":"externalId","value":"0042"}`, `{"externalId":"0042"}`},
		"null takes away":           {`{"op":"replace","path":"externalId","value":null}`, `{"externalId":null}`},
		"add null does nothing":     {`{"op":"add","path":"externalId","value":null}`, `{}`},
		"part of a name":            {`{"op":"Replace","path":"NAME.FAMILYNAME","value":"Lovelace"}`, `{"name":{"givenName":"Ada","familyName":"Lovelace"}}`},
		"a name is merged":          {`{"op":"replace","path":"name","value":{"familyName":"Lovelace","givenName":null}}`, `{"name":{"familyName":"Lovelace"}}`},
		"a name's parts go":         {`{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}`, `{"name":null}`},
		"dotted and URN keys":       {`{"op":"replace","value":{"name.givenName":"Augusta","` + enterprise + `:costCenter":"7","` + enterprise + `":{"division":"V"},"DisplayName":"A"}}`, `{"name":{"givenName":"Augusta","familyName":"Byron"},"displayName":"A","` + enterprise + `":{"department":"D","costCenter":"7","division":"V","manager":{"value":"1","$ref":"../Users/1"}}}`},
		"filter in a path-less key": {`{"op":"add","value":{"emails[type eq \"work\"].value":"n@a"}}`, `{"emails":[{"type":"work","value":"n@a","primary":true},{"type":"home","value":"h@a"}]}`},
		"read-only among others":    {`{"op":"replace","value":{"id":"9","schemas":[],"meta":{},"groups":[],"title":"T"}}`, `{"title":"T"}`},

		"picked value":                   {`{"op":"Replace","path":"emails[type eq \"WORK\"].Value","value":"n@a"}`, `{"emails":[{"type":"work","value":"n@a","primary":true},{"type":"home","value":"h@a"}]}`},
		"picked is made":                 {`{"op":"Add","path":"addresses[type eq \"other\"].Formatted","value":"Street 1"}`, `{"addresses":[{"type":"other","formatted":"Street 1"}]}`},
		"picked is made, two terms":      {`{"op":"replace","path":"phoneNumbers[type eq \"work\" and primary eq \"True\"].value","value":"5"}`, `{"phoneNumbers":[{"type":"work","primary":true,"value":"5"}]}`},
		"several at one value":           {`{"op":"Add","path":"addresses[type eq \"work\"].postalCode","value":"1"},{"op":"Add","path":"addresses[type eq \"work\"].country","value":"DE"},{"op":"Replace","path":"addresses[type eq \"work\"].country","value":"FR"}`, `{"addresses":[{"type":"work","postalCode":"1","country":"FR"}]}`},
		"picked is replaced":             {`{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"n@a"}}`, `{"emails":[{"type":"work","value":"n@a"},{"type":"home","value":"h@a"}]}`},
		"picked is added to":             {`{"op":"add","path":"emails[type eq \"home\"]","value":[{"display":"H"}]}`, `{"emails":[{"type":"work","value":"w@a","primary":true},{"type":"home","value":"h@a","display":"H"}]}`},
		"picked is removed":              {`{"op":"Remove","path":"emails[type eq \"work\"]"}`, `{"emails":[{"type":"home","value":"h@a"}]}`},
		"picked value is removed":        {`{"op":"Remove","path":"emails[type eq \"work\"].value"}`, `{"emails":[{"type":"home","value":"h@a"}]}`},
		"picked value is null":           {`{"op":"Replace","path":"emails[type eq \"work\"].value","value":null}`, `{"emails":[{"type":"home","value":"h@a"}]}`},
		"nothing to remove":              {`{"op":"Remove","path":"emails[type eq \"other\"].value"},{"op":"remove","path":"title"}`, `{}`},
		"removed by value":               {`{"op":"Remove","path":"emails","value":[{"value":"H@A"}]}`, `{"emails":[{"type":"work","value":"w@a","primary":true}]}`},
		"removed by value of a type":     {`{"op":"Remove","path":"emails","value":[{"value":"h@a","type":"work"}]}`, `{}`},
		"an empty list removes none":     {`{"op":"Remove","path":"emails","value":[]}`, `{}`},
		"all removed":                    {`{"op":"Remove","path":"emails"}`, `{"emails":null}`},
		"only one primary, added":        {`{"op":"add","path":"emails","value":[{"value":"n@a","primary":"True"}]}`, `{"emails":[{"type":"work","value":"w@a","primary":false},{"type":"home","value":"h@a"},{"value":"n@a","primary":true}]}`},
		"only one primary, picked":       {`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, `{"emails":[{"type":"work","value":"w@a","primary":false},{"type":"home","value":"h@a","primary":true}]}`},
		"added twice":                    {`{"op":"add","path":"emails","value":[{"value":"h@a","type":"home"}]},{"op":"add","path":"emails","value":"h@a"}`, `{}`},
		"replaced whole":                 {`{"op":"replace","path":"emails","value":[{"value":"n@a"}]}`, `{"emails":[{"value":"n@a"}]}`},
		"replaced by nothing":            {`{"op":"replace","path":"emails","value":[]}`, `{"emails":null}`},
		"a part of all":                  {`{"op":"replace","path":"emails.display","value":"E"}`, `{"emails":[{"type":"work","value":"w@a","primary":true,"display":"E"},{"type":"home","value":"h@a","display":"E"}]}`},
		"ops on one attribute, in order": {`{"op":"replace","path":"title","value":"1"},{"op":"remove","path":"title"},{"op":"add","path":"title","value":"2"},{"op":"replace","value":{"title":"3"}}`, `{"title":"3"}`},

		"what is required, removed and set again": {`{"op":"remove","path":"userName"},{"op":"add","path":"userName","value":"b"}`, `{"userName":"b"}`},
		"manager's value is empty":                {`{"op":"replace","path":"manager","value":{"value":""}}`, `{"` + enterprise + `":{"department":"D"}}`},
		"manager as a list":                       {`{"op":"Add","path":"manager","value":[{"$ref":"../Users/2","value":"2"}]}`, `{"` + enterprise + `":{"department":"D","manager":{"value":"2","$ref":"../Users/2"}}}`},
		"manager as a string":                     {`{"op":"Add","path":"` + enterprise + `:manager","value":"2"}`, `{"` + enterprise + `":{"department":"D","manager":{"value":"2"}}}`},
		"manager as an object":                    {`{"op":"Replace","path":"manager","value":{"value":"2","displayName":"B"}}`, `{"` + enterprise + `":{"department":"D","manager":{"value":"2"}}}`},
		"manager by its value":                    {`{"op":"Replace","path":"manager.value","value":"2"}`, `{"` + enterprise + `":{"department":"D","manager":{"value":"2"}}}`},
		"manager removed":                         {`{"op":"Remove","path":"manager"}`, `{"` + enterprise + `":{"department":"D"}}`},
		"manager is empty":                        {`{"op":"Replace","path":"manager","value":""}`, `{"` + enterprise + `":{"department":"D"}}`},
		"manager's value gone":                    {`{"op":"Remove","path":"manager.value"}`, `{"` + enterprise + `":{"department":"D"}}`},
		"extension removed":                       {`{"op":"Remove","path":"` + enterprise + `"}`, `{"` + enterprise + `":null}`},
		"extension merged":                        {`{"op":"Add","path":"` + enterprise + `","value":{"department":"E"}}`, `{"` + enterprise + `":{"department":"E","manager":{"value":"1","$ref":"../Users/1"}}}`},
		"extension by a flat name":                {`{"op":"Replace","path":"department","value":"E"}`, `{"` + enterprise + `":{"department":"E","manager":{"value":"1","$ref":"../Users/1"}}}`},

		"the primary role":         {`{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"Viewer"}`, `{"roles":[{"value":"Viewer","type":"T","primary":true}]}`},
		"the primary role, packed": {`{"op":"Replace","path":"roles[primary eq \"True\"].value","value":"{\"id\":\"1\",\"value\":\"Viewer\",\"displayName\":\"V\"}"}`, `{"roles":[{"value":"Viewer","display":"V","type":"T","primary":true}]}`},
		"the primary role is made": {`{"op":"remove","path":"roles"},{"op":"Add","path":"roles[primary eq \"True\"].value","value":"Viewer"}`, `{"roles":[{"value":"Viewer","primary":true}]}`},
		"the primary role goes":    {`{"op":"Remove","path":"roles[primary eq \"True\"].value"}`, `{"roles":null}`},
		"a role again":             {`{"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\",\"value\":\"Lead\",\"displayName\":\"L\"}"}]}`, `{"roles":[{"value":"Lead","type":"T","primary":true,"display":"L"}]}`},
		"a role is case-exact":     {`{"op":"Add","path":"roles","value":["lead"]}`, `{"roles":[{"value":"Lead","type":"T","primary":true},{"value":"lead"}]}`},
		"a role removed":           {`{"op":"Remove","path":"roles","value":[{"value":"Lead"}]}`, `{"roles":null}`},
	} {
		res := parsed(t, before)
		got, err := patch(scim.User, res, c.ops)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, name+": what was given", res, parsed(t, before))
		want, changes := parsed(t, before), parsed(t, c.want)
		for a, v := range changes {
			if want[a] = v; v == nil {
				delete(want, a)
			}
		}
		same(t, name, got.Resource, want)
		if got.Changed != (len(changes) > 0) {
			t.Errorf("%s: changed %v", name, got.Changed)
		}
	}
}

func TestPatchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		ops      string
		scimType string
	}{
		"no operation":              {``, scim.InvalidSyntax},
		"unknown op":                {`{"op":"move","path":"title","value":"x"}`, scim.InvalidSyntax},
		"no op":                     {`{"path":"title","value":"x"}`, scim.InvalidSyntax},
		"no value":                  {`{"op":"add","path":"title"}`, scim.InvalidValue},
		"path is no string":         {`{"op":"add","path":["title"],"value":"x"}`, scim.InvalidPath},
		"path is no path":           {`{"op":"add","path":"emails[type eq","value":"x"}`, scim.InvalidPath},
		"one value, picked":         {`{"op":"add","path":"name[givenName eq \"A\"]","value":"x"}`, scim.InvalidPath},
		"remove without a path":     {`{"op":"remove","value":{"title":"x"}}`, scim.NoTarget},
		"path-less without object":  {`{"op":"add","value":"x"}`, scim.InvalidValue},
		"nothing to make":           {`{"op":"replace","path":"emails[type ne \"work\" and value eq \"z\"].value","value":"x"}`, scim.NoTarget},
		"contradiction to make":     {`{"op":"replace","path":"emails[type eq \"a\" and type eq \"b\"].value","value":"x"}`, scim.NoTarget},
		"id":                        {`{"op":"replace","path":"id","value":"x"}`, scim.Mutability},
		"groups":                    {`{"op":"add","path":"groups","value":[{"value":"admins"}]}`, scim.Mutability},
		"meta":                      {`{"op":"replace","path":"meta.version","value":"x"}`, scim.Mutability},
		"the manager's name":        {`{"op":"replace","path":"manager.displayName","value":"x"}`, scim.Mutability},
		"userName removed":          {`{"op":"remove","path":"userName"}`, scim.Mutability},
		"everything removed":        {`{"op":"remove","path":"` + scim.UserURN + `"}`, scim.Mutability},
		"userName null":             {`{"op":"replace","path":"userName","value":null}`, scim.InvalidValue},
		"userName a number":         {`{"op":"replace","path":"userName","value":7}`, scim.InvalidValue},
		"externalId a number":       {`{"op":"replace","value":{"externalId":7}}`, scim.InvalidValue},
		"active is a word":          {`{"op":"replace","path":"active","value":"perhaps"}`, scim.InvalidValue},
		"two managers":              {`{"op":"add","path":"manager","value":[{"value":"1"},{"value":"2"}]}`, scim.InvalidValue},
		"two primary":               {`{"op":"add","path":"emails","value":[{"value":"1","primary":true},{"value":"2","primary":true}]}`, scim.InvalidValue},
		"two values for one":        {`{"op":"add","path":"emails[type eq \"work\"]","value":[{"value":"1"},{"value":"2"}]}`, scim.InvalidValue},
		"the last of several fails": {`{"op":"replace","path":"active","value":false},{"op":"replace","path":"id","value":"x"}`, scim.Mutability},
		"a name twice":              {`{"op":"replace","op":"add","path":"title","value":"x"}`, scim.InvalidSyntax},
		"a name twice in the value": {`{"op":"replace","value":{"active":true,"Active":false}}`, scim.InvalidSyntax},
	} {
		res := parsed(t, before)
		_, err := patch(scim.User, res, c.ops)
		refused(t, name, err, 400, c.scimType)
		same(t, name+": what was given", res, parsed(t, before))
	}
	_, err := registry.Patch(scim.User, parsed(t, before), []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Operations":[{"op":"add","path":"title","value":"x"}]}`))
	refused(t, "another message", err, 400, scim.InvalidSyntax)
}

func TestPatchMembers(t *testing.T) {
	add := func(id string) scim.MemberChange {
		return scim.MemberChange{Op: scim.AddMember, Member: scim.Member{Value: id}}
	}
	remove := func(id string) scim.MemberChange {
		return scim.MemberChange{Op: scim.RemoveMember, Member: scim.Member{Value: id}}
	}
	all := scim.MemberChange{Op: scim.RemoveAll}
	for ops, want := range map[string][]scim.MemberChange{
		`{"op":"Add","path":"members","value":[{"$ref":null,"value":"1"},{"value":"2"}]}`:                                                        {add("1"), add("2")},
		`{"op":"add","path":"members","value":{"value":"1"}}`:                                                                                    {add("1")},
		`{"op":"add","path":"members","value":"1"}`:                                                                                              {add("1")},
		`{"op":"add","path":"members.value","value":"1"}`:                                                                                        {add("1")},
		`{"op":"add","path":"members[value eq \"1\"]","value":{}}`:                                                                               {add("1")},
		`{"op":"add","value":{"members":[{"value":"1"}],"externalId":"e"}}`:                                                                      {add("1")},
		`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":["1"]}`:                                                {add("1")},
		`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"1"}]}`:                                                                   {remove("1")},
		`{"op":"remove","path":"members[value eq \"1\"]"}`:                                                                                       {remove("1")},
		`{"op":"remove","path":"MEMBERS[VALUE EQ \"1\" OR value eq \"2\"]"}`:                                                                     {remove("1"), remove("2")},
		`{"op":"remove","path":"members"}`:                                                                                                       {all},
		`{"op":"remove","path":"members","value":null}`:                                                                                          {all},
		`{"op":"remove","path":"members","value":[]}`:                                                                                            nil,
		`{"op":"Replace","path":"members","value":[{"value":"1"}]}`:                                                                              {all, add("1")},
		`{"op":"replace","path":"members","value":[]}`:                                                                                           {all},
		`{"op":"replace","value":{"members":[{"value":"1"}]}}`:                                                                                   {all, add("1")},
		`{"op":"replace","path":"members[value eq \"1\"]","value":{"value":"2"}}`:                                                                {remove("1"), add("2")},
		`{"op":"Add","path":"members","value":["1"]},{"op":"Remove","path":"members","value":["1"]},{"op":"Add","path":"members","value":["1"]}`: {add("1")}, // the last word counts
		`{"op":"replace","path":"displayName","value":"h"}`:                                                                                      nil,
		`{"op":"add","path":"members","value":["1","2","3"]},{"op":"remove","path":"members","value":["2","4"]},{"op":"add","path":"members","value":["4"]}`: {remove("2"), add("1"), add("3"), add("4")},
		`{"op":"add","path":"members","value":["1"]},{"op":"replace","path":"members","value":["2"]},{"op":"replace","path":"members","value":["3"]}`:        {all, add("3")},
	} {
		got, err := patch(scim.Group, scim.Resource{"displayName": "g"}, ops)
		if err != nil {
			t.Errorf("%s: %v", ops, err)
			continue
		}
		if len(got.Members) != len(want) {
			t.Errorf("%s: %+v", ops, got.Members)
			continue
		}
		for i, c := range got.Members {
			if c.Op != want[i].Op || c.Member != want[i].Member {
				t.Errorf("%s: %+v, want %+v", ops, c, want[i])
			}
		}
	}
	got, err := patch(scim.Group, scim.Resource{"displayName": "g"}, `{"op":"remove","path":"members[type eq \"Group\"]"}`)
	if err != nil || len(got.Members) != 1 || got.Members[0].Op != scim.RemoveMatching ||
		!got.Members[0].Where.MatchMember(scim.Member{Value: "1", Type: scim.Group}) || got.Members[0].Where.MatchMember(scim.Member{Value: "1", Type: scim.User}) {
		t.Errorf("by type: %+v, %v", got, err)
	}
	for ops, scimType := range map[string]string{
		`{"op":"add","path":"members","value":[{"display":"x"}]}`:               scim.InvalidValue,
		`{"op":"add","path":"members","value":[{"value":7}]}`:                   scim.InvalidValue,
		`{"op":"remove","path":"members","value":[{"value":null}]}`:             scim.InvalidValue,
		`{"op":"replace","path":"members[value eq \"1\"].display","value":"x"}`: scim.Mutability,
		`{"op":"add","path":"members[type eq \"User\"]","value":{"value":"x"}}`: scim.NoTarget,
		`{"op":"remove","path":"displayName"}`:                                  scim.Mutability,
	} {
		_, err := patch(scim.Group, scim.Resource{"displayName": "g"}, ops)
		refused(t, ops, err, 400, scimType)
	}
}

// What one request may make us look at is bounded.
func TestPatchWorkIsBounded(t *testing.T) {
	roles := make([]string, 900)
	for i := range roles {
		roles[i] = fmt.Sprint(i)
	}
	value, _ := json.Marshal(roles)
	ops := ""
	for i := range 400 {
		if i > 0 {
			ops += ","
		}
		ops += `{"op":"remove","path":"roles","value":["x"]}`
	}
	_, err := patch(scim.Group, scim.Resource{"displayName": "g"}, strings.Repeat(`{"op":"remove","path":"members[type eq \"User\"]"},`, 60)+`{"op":"remove","path":"members"}`)
	refused(t, "much to compare", err, 413, "")
	_, err = patch(scim.User, parsed(t, before), `{"op":"add","path":"roles","value":`+string(value)+`},`+ops)
	refused(t, "much work", err, 413, "")
}

// Roles that an add leaves in place are noticed: a mapping that only adds never takes a role away.
func TestPatchNoticesRolesThatPileUp(t *testing.T) {
	for ops, want := range map[string]bool{
		`{"op":"Add","path":"roles","value":["Viewer"]}`:                                        true,
		`{"op":"Add","path":"roles","value":["Lead","Viewer"]}`:                                 false, // all that there are
		`{"op":"replace","path":"roles","value":["Viewer"]}`:                                    false,
		`{"op":"remove","path":"roles"},{"op":"Add","path":"roles","value":["Viewer","Other"]}`: false,
		`{"op":"Add","path":"emails","value":["x@a"]}`:                                          false,
	} {
		if p, err := patch(scim.User, parsed(t, before), ops); err != nil || p.Piled != want {
			t.Errorf("%s: %v, %v", ops, p.Piled, err)
		}
	}
}
