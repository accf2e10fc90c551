package provision_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// What Microsoft's validator of SCIM endpoints (scimvalidator.microsoft.com) asks and expects, case by case: those it
// requires, and those it calls preview. Each has a service of its own resources.
func TestMicrosoftValidator(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	n := 0
	name := func() string { n++; return "validator-" + strings.Repeat("x", n) + "@contoso.example" }
	user := func(more object) (path string, made answer) {
		t.Helper()
		u := object{"schemas": []string{userSchema}, "userName": name(), "active": true, "displayName": "Before", "title": "Before",
			"emails": []object{{"type": "work", "value": "before@contoso.example", "primary": true}}, "name": object{"givenName": "G", "familyName": "F", "formatted": "G F"}}
		for k, v := range more {
			u[k] = v
		}
		made = w.want(201, "POST", "/scim/v2/Users", u)
		return "/scim/v2/Users/" + made.id(), made
	}
	group := func(external string) (path string, made answer) {
		t.Helper()
		made = w.want(201, "POST", "/scim/v2/Groups", object{"schemas": []string{groupSchema}, "displayName": name(), "externalId": external})
		return "/scim/v2/Groups/" + made.id(), made
	}
	found := func(t *testing.T, endpoint, filter string, n int, more string) answer {
		t.Helper()
		a := w.want(200, "GET", endpoint+"?filter="+url.QueryEscape(filter)+more, nil)
		list, _ := a.body["Resources"].([]any)
		if a.body["totalResults"] != float64(n) || len(list) != n || !strings.Contains(a.text, "urn:ietf:params:scim:api:messages:2.0:ListResponse") {
			t.Errorf("%s: %s", filter, a.text)
		}
		return a
	}
	described := func(t *testing.T, a answer, kind string) {
		t.Helper()
		meta, _ := a.body["meta"].(object)
		if text(meta, "resourceType") != kind || !strings.HasSuffix(text(meta, "location"), "/"+kind+"s/"+a.id()) || a.id() == "" ||
			!strings.Contains(a.text, "urn:ietf:params:scim:schemas:core:2.0:"+kind) {
			t.Errorf("%s", a.text)
		}
	}
	refused := func(t *testing.T, a answer, status, kind string) {
		t.Helper()
		if text(a.body, "status") != status || text(a.body, "scimType") != kind || !strings.Contains(a.text, "urn:ietf:params:scim:api:messages:2.0:Error") {
			t.Errorf("%s", a.text)
		}
	}
	replace := func(path string, value any) object { return object{"op": "replace", "path": path, "value": value} }
	shows := func(t *testing.T, a answer, want object) {
		t.Helper()
		for k, v := range want {
			if a.body[k] != v {
				t.Errorf("%s is %v, want %v", k, a.body[k], v)
			}
		}
	}
	memberIDs := func(path string) (ids []string) {
		list, _ := w.want(200, "GET", path, nil).body["members"].([]any)
		for _, m := range list {
			ids = append(ids, text(m.(object), "value"))
		}
		return ids
	}
	const manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
	managerOf := func(a answer) string {
		extension, _ := a.body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].(object)
		m, _ := extension["manager"].(object)
		return text(m, "value")
	}

	for _, c := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"create a user", func(t *testing.T) { _, a := user(nil); described(t, a, "User") }},
		{"create a user twice", func(t *testing.T) {
			_, a := user(nil)
			refused(t, w.want(409, "POST", "/scim/v2/Users", object{"userName": a.body["userName"]}), "409", "uniqueness")
		}},
		{"delete a user", func(t *testing.T) {
			path, _ := user(nil)
			w.want(204, "DELETE", path, nil)
			w.want(404, "GET", path, nil)
		}},
		{"filter for a user", func(t *testing.T) {
			_, a := user(nil)
			found(t, "/scim/v2/Users", `userName eq "`+text(a.body, "userName")+`"`, 1, "")
			found(t, "/scim/v2/Users", `userName eq "`+strings.ToUpper(text(a.body, "userName"))+`"`, 1, "")
			found(t, "/scim/v2/Users", `userName eq "nobody"`, 0, "")
		}},
		{"externalId is case-exact", func(t *testing.T) {
			user(object{"externalId": "Ext-User"})
			found(t, "/scim/v2/Users", `externalId eq "EXT-USER"`, 0, "")
			user(object{"externalId": "EXT-USER"})
			found(t, "/scim/v2/Users", `externalId eq "EXT-USER"`, 1, "")
		}},
		{"replace several attributes of a user, verbosely", func(t *testing.T) {
			path, _ := user(nil)
			shows(t, w.want(200, "PATCH", path, patchOf(replace("displayName", "After"), replace("title", "After"), replace("active", false))),
				object{"displayName": "After", "title": "After", "active": false})
		}},
		{"replace attributes without a path", func(t *testing.T) {
			path, _ := user(nil)
			a := w.want(200, "PATCH", path, patchOf(object{"op": "replace", "value": object{"displayName": "After", "name.givenName": "After"}}))
			shows(t, a, object{"displayName": "After"})
			if given, _ := a.body["name"].(object); text(given, "givenName") != "After" || text(given, "familyName") != "F" {
				t.Errorf("%s", a.text)
			}
		}},
		{"change userName", func(t *testing.T) {
			path, _ := user(nil)
			to := name()
			shows(t, w.want(200, "PATCH", path, patchOf(object{"op": "replace", "value": object{"userName": to}})), object{"userName": to})
			found(t, "/scim/v2/Users", `userName eq "`+to+`"`, 1, "")
		}},
		{"disable a user, who is still shown", func(t *testing.T) {
			path, a := user(nil)
			shows(t, w.want(200, "PATCH", path, patchOf(replace("active", false))), object{"active": false})
			shows(t, w.want(200, "GET", path, nil), object{"active": false})
			list := found(t, "/scim/v2/Users", `userName eq "`+text(a.body, "userName")+`"`, 1, "")
			if !strings.Contains(list.text, `"active":false`) {
				t.Errorf("%s", list.text)
			}
		}},
		{"add attributes", func(t *testing.T) {
			path, _ := user(nil)
			shows(t, w.want(200, "PATCH", path, patchOf(object{"op": "add", "path": "nickName", "value": "N"}, object{"op": "add", "path": "userType", "value": "T"})),
				object{"nickName": "N", "userType": "T"})
		}},
		{"add, replace and remove a manager", func(t *testing.T) {
			path, _ := user(nil)
			for _, to := range []string{"first", "second", ""} {
				if a := w.want(200, "PATCH", path, patchOf(object{"op": map[bool]string{true: "add", false: "replace"}[to == "first"], "path": manager, "value": object{"value": to}})); managerOf(a) != to {
					t.Errorf("%q: %s", to, a.text)
				}
			}
		}},
		{"create a group", func(t *testing.T) { _, a := group("group-made"); described(t, a, "Group") }},
		{"create a group twice", func(t *testing.T) {
			_, a := group("group-twice")
			refused(t, w.want(409, "POST", "/scim/v2/Groups", object{"displayName": a.body["displayName"], "externalId": "group-twice"}), "409", "uniqueness")
		}},
		{"get a group without members", func(t *testing.T) {
			path, _ := group("group-without")
			_, u := user(nil)
			w.want(204, "PATCH", path, patchOf(object{"op": "add", "path": "members", "value": []object{{"value": u.id()}}}))
			if a := w.want(200, "GET", path+"?excludedAttributes=members", nil); a.body["members"] != nil || a.body["displayName"] == nil {
				t.Errorf("%s", a.text)
			}
			if a := found(t, "/scim/v2/Groups", `externalId eq "group-without"`, 1, "&excludedAttributes=members"); strings.Contains(a.text, "members") {
				t.Errorf("%s", a.text)
			}
		}},
		{"delete a group", func(t *testing.T) {
			path, _ := group("group-deleted")
			w.want(204, "DELETE", path, nil)
			w.want(404, "GET", path, nil)
		}},
		{"filter for a group", func(t *testing.T) {
			_, a := group("Group-Found")
			found(t, "/scim/v2/Groups", `externalId eq "Group-Found"`, 1, "")
			found(t, "/scim/v2/Groups", `externalId eq "group-found"`, 0, "")
			found(t, "/scim/v2/Groups", `displayName eq "`+strings.ToUpper(text(a.body, "displayName"))+`"`, 1, "")
			found(t, "/scim/v2/Groups", `displayName eq "nothing"`, 0, "&excludedAttributes=members")
		}},
		{"replace a group's attributes", func(t *testing.T) {
			path, _ := group("group-replaced")
			to := name()
			w.want(204, "PATCH", path, patchOf(object{"op": "replace", "value": object{"displayName": to, "externalId": "group-replaced-2"}}))
			shows(t, w.want(200, "GET", path, nil), object{"displayName": to, "externalId": "group-replaced-2"})
		}},
		{"add and remove members", func(t *testing.T) {
			path, _ := group("group-members")
			_, one := user(nil)
			_, two := user(nil)
			w.want(204, "PATCH", path, patchOf(replace("members", []object{{"value": one.id()}, {"value": two.id()}})))
			w.want(204, "PATCH", path, patchOf(object{"op": "remove", "path": `members[value eq "` + one.id() + `"]`}))
			if ids := memberIDs(path); len(ids) != 1 || ids[0] != two.id() {
				t.Errorf("%v", ids)
			}
		}},
		{"preview: several operations on several attributes", func(t *testing.T) {
			path, _ := user(object{"preferredLanguage": "en-US"})
			shows(t, w.want(200, "PATCH", path, patchOf(object{"op": "add", "path": "displayName", "value": "After"}, replace("title", "After"), object{"op": "remove", "path": "preferredLanguage"})),
				object{"displayName": "After", "title": "After", "preferredLanguage": nil})
		}},
		{"preview: several operations on one attribute", func(t *testing.T) {
			path, _ := user(nil)
			shows(t, w.want(200, "PATCH", path, patchOf(object{"op": "remove", "path": "displayName"}, object{"op": "add", "path": "displayName", "value": "Between"}, replace("displayName", "After"))),
				object{"displayName": "After"})
		}},
		{"preview: delete what is not there", func(t *testing.T) {
			for _, kind := range []string{"Users", "Groups"} {
				refused(t, w.want(404, "DELETE", "/scim/v2/"+kind+"/00000000-0000-0000-0000-000000000000", nil), "404", "")
			}
		}},
		{"preview: delete twice", func(t *testing.T) {
			one, _ := user(nil)
			two, _ := group("group-deleted-twice")
			for _, path := range []string{one, two} {
				w.want(204, "DELETE", path, nil)
				refused(t, w.want(404, "DELETE", path, nil), "404", "")
			}
		}},
		{"preview: add and remove a member in one request", func(t *testing.T) {
			path, _ := group("group-in-one")
			_, u := user(nil)
			w.want(204, "PATCH", path, patchOf(object{"op": "add", "path": "members", "value": []object{{"value": u.id()}}}, object{"op": "remove", "path": `members[value eq "` + u.id() + `"]`}))
			if ids := memberIDs(path); len(ids) != 0 {
				t.Errorf("%v", ids)
			}
		}},
		{"every attribute of the schemas comes back", everyAttribute(w, name)},
	} {
		t.Run(c.name, c.run)
	}
}

// everyAttribute sends a user with all attributes of the schemas that a client may set, as the validator does after it has
// discovered them, and looks for each in the answer.
func everyAttribute(w *world, name func() string) func(*testing.T) {
	return func(t *testing.T) {
		sent := object{}
		for _, id := range []string{userSchema, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"} {
			at := object{}
			list, _ := w.want(200, "GET", "/scim/v2/Schemas/"+id, nil).body["attributes"].([]any)
			for _, a := range list {
				if v := sample(a.(object)); v != nil {
					at[text(a.(object), "name")] = v
				}
			}
			if len(at) == 0 {
				t.Fatalf("%s has no attributes", id)
			}
			if id == userSchema {
				sent = at
			} else {
				sent[id] = at
			}
		}
		sent["userName"] = name()
		made := w.want(201, "POST", "/scim/v2/Users", sent)
		contains(t, "", sent, w.want(200, "GET", "/scim/v2/Users/"+made.id(), nil).body)
	}
}

// sample is a value of an attribute, or nil where only the server says it.
func sample(a object) any {
	if a["mutability"] == "readOnly" {
		return nil
	}
	var v any = "sample of " + text(a, "name")
	switch a["type"] {
	case "boolean":
		v = true
	case "binary":
		v = "c2FtcGxl"
	case "complex":
		parts := object{}
		subs, _ := a["subAttributes"].([]any)
		for _, s := range subs {
			if part := sample(s.(object)); part != nil {
				parts[text(s.(object), "name")] = part
			}
		}
		v = parts
	}
	if a["multiValued"] == true {
		return []any{v}
	}
	return v
}

// contains checks that all of want is in got.
func contains(t *testing.T, at string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case object:
		got, _ := got.(object)
		for k, v := range want {
			contains(t, at+"."+k, v, got[k])
		}
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", at, got, want)
			return
		}
		for i := range want {
			contains(t, at, want[i], got[i])
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}
