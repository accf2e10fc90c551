package entra

import (
	"fmt"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// TestEverybodyIsAskedFor: with more people than one sweep asks for, the next ones go on, and a name that could say more
// than an ID in a filter is left out.
func TestEverybodyIsAskedFor(t *testing.T) {
	const tenant = identity.TenantID("8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01")
	var people []identity.UserID
	for n := range 100 {
		people = append(people, identity.UserID{Tenant: tenant, Object: fmt.Sprintf("u%02d", n)})
	}
	people = append(people, people[3], identity.UserID{Tenant: "another", Object: "u1"}, identity.UserID{Tenant: tenant, Object: "x') or (1 eq 1"})
	s := &Source{tenant: tenant, figures: &figures{}, watched: func() []identity.UserID { return people }}
	asked := map[string]int{}
	for range 4 {
		portions := s.nextWatched(2)
		if len(portions) > 2 {
			t.Fatalf("%d requests", len(portions))
		}
		for _, ids := range portions {
			if len(ids) > askedAtOnce {
				t.Errorf("%d people in a request", len(ids))
			}
			for _, id := range ids {
				asked[id]++
			}
		}
	}
	if len(asked) != 100 || s.State().Watched != 100 {
		t.Errorf("%d people were asked for in four sweeps, %d are watched", len(asked), s.State().Watched)
	}
}
