package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// warmRoundTrip notes, reads and forgets what is made ahead.
func warmRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	a := workspace.Warm{ID: identity.NewWorkspaceID(), Project: "p-1", Class: "small", Created: now(), Node: "n"}
	b := workspace.Warm{ID: identity.NewWorkspaceID(), Project: "p-1", Class: "large", Created: now().Add(1e9)}
	for _, one := range []workspace.Warm{b, a} {
		if err := s.SaveWarm(ctx, one, audit.Event{Time: now(), Action: "workspace:warm"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Open(t, "two").LoadWarm(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]workspace.Warm{a, b}, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := s.DeleteWarm(ctx, a.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.LoadWarm(ctx); err != nil || len(got) != 1 || got[0].ID != b.ID {
		t.Errorf("%+v, %v", got, err)
	}
}
