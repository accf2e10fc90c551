package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
)

// prebuildsRoundTrip keeps, changes, lists and removes prebuilds.
func prebuildsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	old := prebuild.Row{ID: identity.NewPrebuildID(), Project: "p-1", Repository: "https://git.example.test/a/b", Ref: "refs/heads/main", Commit: "c1", Cause: "push",
		State: prebuild.Running, Workspace: "w-1", Created: now(), Node: "n"}
	recent := prebuild.Row{ID: identity.NewPrebuildID(), State: prebuild.Waiting, Created: now().Add(time.Minute)}
	for _, r := range []prebuild.Row{old, recent} {
		if err := s.PutPrebuild(ctx, r, audit.Event{Time: now(), Action: "prebuild:order"}); err != nil {
			t.Fatal(err)
		}
	}
	old.State, old.Message, old.Log, old.Size, old.Digest, old.Started, old.Ended, old.Expires = prebuild.Done, "why", "said\nso", 5<<30, "sha256:00", now(), now(), now().Add(time.Hour)
	if err := s.PutPrebuild(ctx, old, audit.Event{Time: now(), Action: "prebuild:run"}); err != nil {
		t.Fatal(err)
	}
	got, found, err := other.Prebuild(ctx, old.ID)
	if diff := cmp.Diff(old, got); !found || err != nil || diff != "" {
		t.Error(found, err, diff)
	}
	all, err := other.Prebuilds(ctx)
	if diff := cmp.Diff([]prebuild.Row{recent, old}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, want := range []bool{true, false} {
		if found, err := s.DropPrebuild(ctx, old.ID, audit.Event{Time: now(), Action: "prebuild:delete"}); found != want || err != nil {
			t.Error(found, err)
		}
	}
	if _, found, err := other.Prebuild(ctx, old.ID); found || err != nil {
		t.Error(found, err)
	}
}
