package grant_test

import (
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// TestSetIsImmutable changes what one user holds and leaves other users' records, and older sets, as they are.
func TestSetIsImmutable(t *testing.T) {
	now := time.Now()
	g := func(id identity.GrantID, u identity.UserID) grant.Grant {
		return grant.Grant{ID: id, Kind: grant.BreakGlass, User: u, Project: "p-1", Role: "viewer", From: now, Until: now.Add(time.Hour)}
	}
	first := grant.NewSet([]grant.Grant{g("g-1", ada), g("g-2", barbara)})
	hers := first.Of(barbara)
	ended := g("g-1", ada)
	ended.Ended, ended.EndedWhy = now, "revoked"
	second := first.With([]grant.Grant{ended, g("g-3", ada)})
	if first.Of(ada).Grant("g-1") == nil || first.Of(ada).Grant("g-3") != nil {
		t.Error("the older set changed")
	}
	if second.Of(ada).Grant("g-1") != nil || second.Of(ada).Grant("g-3") == nil || second.Of(barbara) != hers {
		t.Error("the newer set is wrong")
	}
	if was, ok := second.Ended("g-1"); !ok || was.EndedWhy != "revoked" {
		t.Errorf("why it ended: %+v", was)
	}
	if role, from := second.Of(ada).Role("p-1", now.Add(time.Hour)); role != "" || from != nil {
		t.Errorf("its time is over and it gives %s", role)
	}
	var none *grant.Set
	if none.Of(ada).All() != nil || none.Every() != nil {
		t.Error("no set holds something")
	}
}
