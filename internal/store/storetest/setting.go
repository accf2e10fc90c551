package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/snapshot"
)

// settingsRoundTrip keeps, replaces, seals again and removes variables and dotfiles.
func settingsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	mine := setting.Scope{User: userID(1)}
	here := setting.Scope{User: userID(1), Repository: "https://git.example.test/payments/api"}
	theirs := setting.Scope{Project: "p-aaaaaaaaaaaaaaaa"}
	rows := []setting.Row{
		{Variable: setting.Variable{Scope: mine, Name: "A", Value: "é\n1", By: "Ada", Changed: now()}},
		{Variable: setting.Variable{Scope: here, Name: "A", Secret: true, Changed: now()}, Sealed: []byte("sealed")},
		{Variable: setting.Variable{Scope: theirs, Name: "A", Value: "", Changed: now()}},
	}
	for _, r := range rows {
		for range 2 { // the second takes the place of the first
			if err := s.PutVariable(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	for of, want := range map[setting.Scope][]setting.Row{mine: rows[:2], theirs: rows[2:], {User: userID(2)}: nil} {
		got, err := other.Variables(ctx, of.User, of.Project)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	n, err := s.ResealVariables(ctx, func(r setting.Row) ([]byte, bool, error) { return []byte("again"), string(r.Sealed) == "sealed", nil })
	if err != nil || n != 1 {
		t.Error(n, err)
	}
	if got, err := s.Variables(ctx, mine.User, ""); err != nil || len(got) != 2 || string(got[1].Sealed) != "again" {
		t.Error(got, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := s.DropVariable(ctx, here, "A"); found != want || err != nil {
			t.Error(found, err)
		}
	}
	if got, err := other.Variables(ctx, mine.User, ""); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
	for _, address := range []string{"https://git.example.test/ada/dotfiles", ""} {
		if err := s.PutDotfiles(ctx, userID(1), address); err != nil {
			t.Fatal(err)
		}
		if got, err := other.Dotfiles(ctx, userID(1)); got != address || err != nil {
			t.Error(got, err)
		}
	}
	if got, err := s.Dotfiles(ctx, userID(2)); got != "" || err != nil {
		t.Error(got, err)
	}
}

// snapshotsRoundTrip keeps, lists and removes snapshots.
func snapshotsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	old := snapshot.Row{ID: identity.NewSnapshotID(), Owner: userID(1), OwnerName: "Ada", Workspace: "w-1", Project: "p-1", Repository: "https://git.example.test/a/b",
		Ref: "main", Name: "b", Commit: "c1", Dirty: true, Branch: "main", Note: "why", Size: 5 << 30, Digest: "sha256:00", Created: now(), Expires: now().Add(time.Hour), Node: "n",
		Origins: []snapshot.Origin{{ID: "snap-1", Owner: userID(2), Name: "Grace", Created: now()}}}
	recent := snapshot.Row{ID: identity.NewSnapshotID(), Owner: userID(2), Created: now().Add(time.Minute), Expires: now().Add(time.Hour)}
	for _, r := range []snapshot.Row{old, recent} {
		if err := s.AddSnapshot(ctx, r, audit.Event{Time: now(), Action: "snapshot:create"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddSnapshot(ctx, old); err == nil {
		t.Error("one ID twice")
	}
	got, found, err := other.Snapshot(ctx, old.ID)
	if diff := cmp.Diff(old, got); !found || err != nil || diff != "" {
		t.Error(found, err, diff)
	}
	all, err := other.Snapshots(ctx)
	if diff := cmp.Diff([]snapshot.Row{recent, old}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, want := range []bool{true, false} {
		if found, err := s.DropSnapshot(ctx, old.ID, audit.Event{Time: now(), Action: "snapshot:delete"}); found != want || err != nil {
			t.Error(found, err)
		}
	}
	if _, found, err := other.Snapshot(ctx, old.ID); found || err != nil {
		t.Error(found, err)
	}
}
