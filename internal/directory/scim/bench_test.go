package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

func BenchmarkFilterParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.ParseFilter(scim.User, `userName eq "ada@contoso.example"`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFilterMatch(b *testing.B) {
	f, err := registry.ParseFilter(scim.User, `emails[type eq "work"].value eq "ada@contoso.example" and active eq true`)
	if err != nil {
		b.Fatal(err)
	}
	res := scim.Resource{"active": true, "emails": l{o{"type": "home", "value": "x"}, o{"type": "work", "value": "ADA@contoso.example"}}}
	b.ReportAllocs()
	for b.Loop() {
		if !f.Match(res) {
			b.Fatal("no match")
		}
	}
}

func BenchmarkPatchUser(b *testing.B) {
	body := []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"},{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},{"op":"Add","path":"manager","value":"7"}]}`)
	res := scim.Resource{"userName": "u", "active": true, "emails": l{o{"type": "work", "value": "w"}}, "name": o{"givenName": "g"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Patch(scim.User, res, body); err != nil {
			b.Fatal(err)
		}
	}
}

// A patch costs what it says, whatever the size of the group.
func BenchmarkPatchMembers(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		members := make([]string, n)
		for i := range members {
			members[i] = fmt.Sprintf(`{"$ref":null,"value":"%036d"}`, i)
		}
		body := []byte(`{"Operations":[{"op":"Add","path":"members","value":[` + strings.Join(members, ",") + `]}]}`)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p, err := registry.Patch(scim.Group, scim.Resource{"displayName": "g"}, body); err != nil || len(p.Members) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
