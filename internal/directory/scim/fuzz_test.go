package scim_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// answered checks that an error is one that may be told, and blames the client.
func answered(t *testing.T, err error) {
	t.Helper()
	var e *scim.Error
	if err != nil && (!errors.As(err, &e) || e.Status < 400 || e.Status > 499 || e.Detail == "") {
		t.Fatalf("%v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`userName eq "ada"`, `externalId eq jyoung`, `emails[type eq "work" and not (value co "x")].value sw "a"`, `(a pr or b.c ne null) and active eq "True"`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1"`, `id eq "1" and manager eq "2"`, `meta.created ge "2026-11-23T08:00:00Z"`,
		`userName eq "CONTOSO\ada"`, `not(title pr)`, `members[value eq "1" or type eq "Group"]`, `((((a pr))))`, `x eq 1e9`, `emails[a pr].b pr`,
	} {
		f.Add(s)
	}
	res := scim.Resource{}
	if err := json.Unmarshal([]byte(person), &res); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range []scim.Kind{scim.User, scim.Group} {
			one, err := registry.ParseFilter(k, s)
			answered(t, err)
			if err != nil {
				continue
			}
			matches := one.Match(res)
			written := one.String()
			again, err := registry.ParseFilter(k, written)
			if err != nil && (len(written) > 16<<10 || strings.Contains(err.Error(), "nested deeper")) {
				continue // as it is written it is somewhat larger
			}
			if err != nil || again.String() != written || again.Match(res) != matches || !reflect.DeepEqual(again.Equalities(), one.Equalities()) || !reflect.DeepEqual(again.Attributes(), one.Attributes()) {
				t.Fatalf("%q is written as %q, which is read as %q, %v", s, written, again, err)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"userName", `emails[type eq "work"].value`, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "name.familyName", `members[value eq "1"]`,
		`roles[primary eq "True"].value`, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User", `a[b pr].c`, "urn:x:y",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range []scim.Kind{scim.User, scim.Group} {
			one, err := registry.ParsePath(k, s)
			answered(t, err)
			if err != nil {
				continue
			}
			again, err := registry.ParsePath(k, one.String())
			if err != nil && (len(one.String()) > 16<<10 || strings.Contains(err.Error(), "nested deeper")) {
				continue
			}
			if err != nil || again.String() != one.String() || again.Known() != one.Known() {
				t.Fatalf("%q is written as %q, which is read as %q, %v", s, one, again, err)
			}
		}
	})
}

func FuzzPatch(f *testing.F) {
	addBodies(f)
	f.Add([]byte(`{"Operations":[{"op":"replace","path":"roles[primary eq \"True\"].value","value":"{\"value\":\"x\"}"},{"op":"add","value":{"emails.display":"x","name":null}}]}`))
	f.Add([]byte(`{"Operations":[{"op":"remove","path":"emails","value":[{"value":"w@a"}]},{"op":"remove","path":"members[type eq \"User\"]"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for k, given := range map[scim.Kind]string{scim.User: before, scim.Group: `{"displayName":"g","externalId":"x"}`} {
			res := parsed(t, given)
			p, err := registry.Patch(k, res, body)
			answered(t, err)
			if !reflect.DeepEqual(res, parsed(t, given)) {
				t.Fatalf("%q altered what was given", body)
			}
			if err != nil {
				continue
			}
			sound(t, k, p.Resource)
			if p.Changed == reflect.DeepEqual(res, p.Resource) {
				t.Fatalf("%q: changed is %v", body, p.Changed)
			}
			for _, c := range p.Members {
				if named := c.Op == scim.AddMember || c.Op == scim.RemoveMember; named != (c.Member.Value != "") || k == scim.User {
					t.Fatalf("%q: %+v", body, c)
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	addBodies(f)
	f.Add([]byte(`{"userName":"u","roles":["{\"value\":\"x\"}"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0User":{"manager":[{"value":"1"}]}}`))
	f.Add([]byte(`{"displayName":"g","members":[{"value":"1","$ref":"/Groups/1"},"2"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, k := range []scim.Kind{scim.User, scim.Group} {
			res, members, err := registry.Decode(k, body)
			answered(t, err)
			if err != nil {
				continue
			}
			sound(t, k, res)
			for _, m := range members {
				if m.Value == "" {
					t.Fatalf("%q: a member without id", body)
				}
			}
		}
	})
}

func FuzzBulk(f *testing.F) {
	f.Add([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"bulkId:b"}},{"method":"POST","path":"/Groups/bulkId:a","bulkId":"b","data":{"members":["bulkId:a"]}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := scim.ParseBulk(body, scim.ProviderConfig{MaxBulkOperations: 100, MaxBulkPayload: 100_000})
		answered(t, err)
		made := map[string]string{}
		for _, op := range b.Operations {
			done, err := op.Resolve(made)
			answered(t, err)
			if err == nil && len(done.Data) > 0 && !json.Valid(done.Data) {
				t.Fatalf("%q becomes %q", op.Data, done.Data)
			}
			made[op.BulkID] = `"1`
		}
	})
}

// sound checks what a store relies on: the resource has what it needs, nothing that only the server says, and reading it
// from JSON gives it again.
func sound(t *testing.T, k scim.Kind, res scim.Resource) {
	t.Helper()
	name := res.Text("userName")
	if k == scim.Group {
		name = res.Text("displayName")
	}
	if strings.TrimSpace(name) == "" {
		t.Fatalf("no name: %v", res)
	}
	for _, a := range []string{"id", "meta", "schemas", "groups", "members"} {
		if _, there := res[a]; there {
			t.Fatalf("%s is in %v", a, res)
		}
	}
	b, err := json.Marshal(res)
	if err != nil || strings.Contains(string(b), `\u0000`) && !strings.Contains(string(b), `\\u0000`) {
		t.Fatalf("%v: %s", err, b)
	}
	if again := parsed(t, string(b)); !reflect.DeepEqual(again, res) {
		t.Fatalf("%v is stored as %v", res, again)
	}
}

// addBodies gives a fuzzer the bodies of Entra's documentation.
func addBodies(f *testing.F) {
	for _, name := range []string{"aadoptscim062020-patch-variants.json", "entra-tutorial-exchanges.json", "roles-and-custom-attributes.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		var all any
		if err := json.Unmarshal(b, &all); err != nil {
			f.Fatal(err)
		}
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case o:
				if v["schemas"] != nil {
					body, _ := json.Marshal(v)
					f.Add(body)
					return
				}
				for _, inner := range v {
					walk(inner)
				}
			case l:
				for _, inner := range v {
					walk(inner)
				}
			}
		}
		walk(all)
	}
}
