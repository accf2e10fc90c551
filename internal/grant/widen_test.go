package grant_test

import (
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// TestWiden: a delegation grows by what its AI agent was given later, at every replica, and keeps its time; one that has
// ended stays as it is.
func TestWiden(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		one, two := newReplica(t, db, "one"), newReplica(t, db, "two")
		read := grant.Allowed{Action: identity.RepoRead, Kind: identity.KindRepo, Project: "p-1"}
		write := grant.Allowed{Action: identity.RepoWrite, Kind: identity.KindRepo, Project: "p-1"}
		g, err := one.Delegate(t.Context(), grant.Part{User: ada, Session: "s-1", Agent: "helper", Allowed: []grant.Allowed{read}, For: time.Hour}, event())
		if err != nil {
			t.Fatal(err)
		}
		wide, err := one.Widen(t.Context(), g.ID, []grant.Allowed{read, write}, event())
		if err != nil || len(wide.Allowed) != 2 || !wide.Until.Equal(g.Until) {
			t.Fatalf("%+v, %v", wide, err)
		}
		if len(g.Allowed) != 1 {
			t.Error("the earlier grant was changed under whoever reads it")
		}
		if err := two.Follow(t.Context(), feed.Entry{Topic: feed.Grants, Keys: []string{string(g.ID)}, Seq: 9}); err != nil {
			t.Fatal(err)
		}
		if seen, ok := two.Set().Grant(g.ID); !ok || !seen.Delegated(identity.RepoWrite, repo, time.Now()) {
			t.Errorf("another replica sees %+v", seen)
		}
		one.Revoke(t.Context(), g.ID, "enough", event())
		if _, err := one.Widen(t.Context(), g.ID, []grant.Allowed{write}, event()); problem.KindOf(err) != problem.Conflict {
			t.Errorf("a delegation that has ended grew: %v", err)
		}
	})
}
