package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// siblingsRoundTrip stores, changes, reads and removes what stands beside workspaces.
func siblingsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	a := workspace.Sibling{ID: identity.NewWorkspaceID(), Of: "w-1", Owner: userID(1), Session: "s-1", Agent: "tidy", Grant: "g-1", Created: now(), Node: "n"}
	b := workspace.Sibling{ID: identity.NewWorkspaceID(), Of: "w-1", Owner: userID(1), Session: "s-2", Agent: "other", Grant: "g-2", Shared: true, Created: now().Add(1e9), Node: "n"}
	for _, one := range []workspace.Sibling{b, a} {
		if err := s.SaveSibling(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	a.Base, a.Branch, a.Kept = "0123456789012345678901234567890123456789", "agent/tidy/x", "the workspace\nis away ✓"
	if err := s.SaveSibling(ctx, a, audit.Event{Time: now(), Action: "agent:kept"}); err != nil {
		t.Fatal(err)
	}
	got, err := db.Open(t, "two").LoadSiblings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]workspace.Sibling{a, b}, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := s.DeleteSibling(ctx, a.ID, audit.Event{Time: now(), Action: "agent:ended"}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.LoadSiblings(ctx); err != nil || len(got) != 1 || got[0].ID != b.ID {
		t.Errorf("%+v, %v", got, err)
	}
}
