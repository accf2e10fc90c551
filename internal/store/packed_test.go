package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func randomMember(r *rand.Rand) directory.Member {
	tenants := []identity.TenantID{"t", "", "https://id.example.test/"}
	objects := []string{fmt.Sprintf("%08x-0000-4000-8000-%012x", r.Uint32(), r.IntN(1<<40)), "plain", "", "ABCDEF00-0000-4000-8000-000000000000",
		"zzzzzzzz-0000-4000-8000-000000000000", "app-role:Payments.Lead", "a\x00b"}
	tenant, object := tenants[r.IntN(len(tenants))], objects[r.IntN(len(objects))]
	if r.IntN(3) == 0 {
		return directory.Member{Group: identity.GroupID{Tenant: tenant, Object: object}}
	}
	return directory.Member{User: identity.UserID{Tenant: tenant, Object: object}}
}

// What is packed is unpacked, and a set that is damaged is an error, never another set of as many.
func TestPackedSets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	group := identity.GroupID{Tenant: "t", Object: "g"}
	for range 2000 {
		set := map[directory.Member]bool{}
		for range r.IntN(6) {
			if m := randomMember(r); m != (directory.Member{}) {
				set[m] = true
			}
		}
		b := pack(group, sortedMembers(set))
		got := map[directory.Member]bool{}
		if err := newUnpacker().each(group, b, func(m directory.Member) { got[m] = true }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(set, got); d != "" {
			t.Fatal(d)
		}
		if len(b) > 1 {
			n := 0
			if err := newUnpacker().each(group, b[:len(b)-1], func(directory.Member) { n++ }); err == nil && n >= len(set) {
				t.Fatalf("%x, cut short, has %d members", b, n)
			}
		}
	}
}

func TestPartsAreEven(t *testing.T) {
	const members = 100_000
	level := levelFor(members)
	parts := map[int64]int{}
	for i := range members {
		part := partOf(directory.Member{User: identity.UserID{Tenant: "t", Object: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)}}, level)
		if levelOf(part) != level {
			t.Fatalf("part %d is of level %d", part, levelOf(part))
		}
		parts[part]++
	}
	for part, n := range parts {
		if n > 2*partHolds {
			t.Errorf("part %d has %d members", part, n)
		}
	}
	if len(parts) > 1<<level {
		t.Errorf("%d parts at level %d", len(parts), level)
	}
}
