package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/snapshot"
)

// memorySnapshots holds some; one of Ada's from the start.
type memorySnapshots struct{ rows []snapshot.Row }

func (m *memorySnapshots) Get(_ context.Context, id identity.SnapshotID) (row snapshot.Row, found bool, _ error) {
	if i := slices.IndexFunc(m.rows, func(r snapshot.Row) bool { return r.ID == id }); i >= 0 {
		return m.rows[i], true, nil
	}
	return row, false, nil
}

func (m *memorySnapshots) List(context.Context) ([]snapshot.Row, error) { return m.rows, nil }

func (m *memorySnapshots) Delete(context.Context, identity.SnapshotID, audit.Event) error { return nil }

func snapshotOfAda() *memorySnapshots {
	return &memorySnapshots{[]snapshot.Row{{
		ID: "snap-aaaaaaaaaaaaaaaa", Owner: ada, OwnerName: "Ada Lovelace", Workspace: "w-aaaaaaaaaaaaaaaa", Project: projectID, Repository: apiURL, Name: "api",
		Created: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Expires: time.Now().Add(time.Hour),
	}}}
}

// TestAttack30AnothersSnapshotIsConfirmed: what runs of a snapshot is its owner's, or that of whoever left files in it before, so
// whoever opens it is told whose that is and since when, no way starts it without their word, and the workspace remembers.
func TestAttack30AnothersSnapshotIsConfirmed(t *testing.T) {
	w := newWorld(t)
	first := w.snapshots.rows[0]
	// Linus opened Ada's, took one of that workspace, and one of what he opened from that.
	second := snapshot.Row{ID: "snap-bbbbbbbbbbbbbbbb", Owner: linus, OwnerName: "Linus Torvalds", Project: projectID, Repository: apiURL, Created: first.Created.Add(time.Hour),
		Expires: first.Expires, Origins: first.Passed()}
	third := second
	third.ID, third.Origins = "snap-cccccccccccccccc", second.Passed()
	w.snapshots.rows = []snapshot.Row{third, second, first}
	for _, c := range []struct {
		who     identity.UserID
		row     snapshot.Row
		foreign []string // whose names are shown
	}{{ada, first, nil}, {linus, first, []string{"Ada Lovelace"}}, {linus, second, []string{"Ada Lovelace"}}, {linus, third, []string{"Ada Lovelace"}},
		{ada, third, []string{"Linus Torvalds"}}, {barbara, third, []string{"Ada Lovelace", "Linus Torvalds"}}} {
		id := string(c.row.ID)
		var got api.Context
		if err := w.as(c.who).Do(t.Context(), http.MethodGet, "/context", map[string][]string{"url": {"snapshot/" + id}}, nil, &got); err != nil {
			t.Fatal(err)
		}
		s := got.Snapshot
		if s == nil || s.ID != id || s.Own != (c.row.Owner == c.who) || s.Foreign != (c.foreign != nil) || !s.Created.Equal(c.row.Created) {
			t.Fatalf("%v, %s: %+v", c.who, id, s)
		}
		shown := map[string]bool{s.OwnerName: true}
		for _, o := range s.Origins {
			shown[o.OwnerName] = !o.Created.IsZero()
		}
		before := len(w.workspaces.List())
		_, opened := w.as(c.who).OpenSnapshot(t.Context(), id, api.OpenSnapshot{})
		_, created := w.as(c.who).CreateWorkspace(t.Context(), api.Order{ContextURL: "snapshot/" + id})
		if c.foreign == nil {
			if opened != nil || created != nil {
				t.Errorf("%v, %s: %v, %v", c.who, id, opened, created)
			}
			continue
		}
		if n := len(w.workspaces.List()); n != before {
			t.Errorf("%v, %s: %d workspaces were made without a confirmation", c.who, id, n-before)
		}
		for _, err := range []error{opened, created} {
			for _, name := range c.foreign {
				if status(err) != http.StatusConflict || !strings.Contains(err.Error(), name+" on 2026-03-04 ") || !shown[name] {
					t.Errorf("%v, %s: %v, shown %v", c.who, id, err, shown)
				}
			}
		}
		made, err := w.as(c.who).OpenSnapshot(t.Context(), id, api.OpenSnapshot{Confirmed: true})
		if err != nil {
			t.Fatal(err)
		}
		row, _ := w.workspaces.Get(identity.WorkspaceID(made.ID))
		if !row.Foreign || row.Origins[len(row.Origins)-1].ID != c.row.ID || len(row.Origins) > 2 {
			t.Errorf("%v, %s: the workspace remembers %+v", c.who, id, row.Origins)
		}
	}
}

// Opening takes the right to read of this moment: where policy wants a fresh sign-in, that, and nothing that was read before.
func TestASnapshotTakesTodaysStepUp(t *testing.T) {
	w := newWorld(t)
	open := func() error {
		_, err := w.as(ada).OpenSnapshot(t.Context(), "snap-aaaaaaaaaaaaaaaa", api.OpenSnapshot{})
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	w.decree(`@step_up("c1") forbid (principal, action == Action::"repo:read", resource) unless { context.contexts.contains("c1") };`)
	err := open()
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != http.StatusForbidden || !strings.Contains(e.Detail, "c1") {
		t.Errorf("without a fresh sign-in: %v", err)
	}
	up := grant.Grant{ID: identity.NewGrantID(), Kind: grant.StepUp, User: ada, Context: "c1", SignIn: signInID(ada), From: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour),
		Allowed: []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Project: projectID, Name: apiURL}}}
	for _, grants := range [][]grant.Grant{{up}, nil} {
		w.engine.Publish(func(f access.Facts) access.Facts { f.Grants = grant.NewSet(grants); return f }, access.Touched{Users: []identity.UserID{ada}})
		if err := open(); (err == nil) != (grants != nil) {
			t.Errorf("stepped up %v: %v", grants != nil, err)
		}
	}
}

// A snapshot is opened by who may read its repository today; to others it is not there.
func TestWhoOpensASnapshot(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []struct {
		who            identity.UserID
		id             string
		status, listed int
		can            string
	}{
		{ada, "snap-aaaaaaaaaaaaaaaa", 0, 1, "open delete"},
		{linus, "snap-aaaaaaaaaaaaaaaa", 0, 0, ""},
		{mallory, "snap-aaaaaaaaaaaaaaaa", http.StatusNotFound, 0, ""},
		{mallory, "snap-bbbbbbbbbbbbbbbb", http.StatusNotFound, 0, ""},
		{operator, "snap-aaaaaaaaaaaaaaaa", http.StatusForbidden, 1, "delete"},
		{ada, "../x", http.StatusBadRequest, 1, "open delete"},
	} {
		made, err := w.as(c.who).OpenSnapshot(ctx, c.id, api.OpenSnapshot{Confirmed: true})
		if status(err) != c.status {
			t.Errorf("%v opens %s: %v", c.who, c.id, err)
		}
		if e, ok := errors.AsType[*api.Error](err); ok && c.status == http.StatusNotFound && (strings.Contains(e.Detail, "payments") || !strings.Contains(e.Detail, "no snapshot")) {
			t.Errorf("a stranger learns: %s", e.Detail)
		}
		if err == nil {
			row, _ := w.workspaces.Get(identity.WorkspaceID(made.ID))
			if row.Repository != apiURL || row.Owner != c.who {
				t.Errorf("opened: %+v", row)
			}
		}
		list, err := w.as(c.who).Snapshots(ctx)
		if err != nil || len(list) != c.listed || c.listed > 0 && (strings.Join(list[0].Can, " ") != c.can || (list[0].URL != "") != list[0].Own) {
			t.Errorf("%v lists %+v %v", c.who, list, err)
		}
	}
	if err := w.as(linus).DeleteSnapshot(ctx, "snap-aaaaaaaaaaaaaaaa"); status(err) != http.StatusForbidden && status(err) != http.StatusNotFound {
		t.Errorf("a viewer deletes another's: %v", err)
	}
	w.change(directory.Change{AsOf: time.Now(), GoneGroups: []identity.GroupID{viewers}})
	if _, err := w.as(linus).OpenSnapshot(ctx, "snap-aaaaaaaaaaaaaaaa", api.OpenSnapshot{Confirmed: true}); status(err) != http.StatusNotFound {
		t.Errorf("after the role is gone: %v", err)
	}
}

// TestAttack09SnapshotsOfOthers: who may list and delete another's snapshots does not learn what opens them, from no list, workspace
// or log.
func TestAttack09SnapshotsOfOthers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	row := w.snapshots.rows[0]
	made, err := w.as(ada).OpenSnapshot(ctx, string(row.ID), api.OpenSnapshot{})
	if err != nil {
		t.Fatal(err)
	}
	hides := func(of string, shown any) {
		t.Helper()
		b, err := json.Marshal(shown)
		if err != nil || strings.Contains(string(b), string(row.ID)) {
			t.Errorf("%s: %s %v", of, b, err)
		}
	}
	list, err := w.as(operator).Snapshots(ctx)
	if err != nil || len(list) != 1 || list[0].ID != row.ID.Fingerprint() || list[0].Fingerprint != list[0].ID {
		t.Fatalf("%+v %v", list, err)
	}
	hides("the list", list)
	all, err := w.as(operator).Workspaces(ctx)
	if err != nil || !slices.ContainsFunc(all, func(x api.Workspace) bool { return x.ID == made.ID && strings.HasPrefix(x.Context, "snapshot/snapf-") }) {
		t.Errorf("%+v %v", all, err)
	}
	hides("the workspaces", all)
	own, err := w.as(ada).Snapshots(ctx)
	if err != nil || len(own) != 1 || own[0].ID != string(row.ID) || own[0].Fingerprint != list[0].ID {
		t.Errorf("%+v %v", own, err)
	}
	for _, who := range []identity.UserID{ada, linus} {
		if _, err := w.as(who).OpenSnapshot(ctx, list[0].ID, api.OpenSnapshot{Confirmed: true}); status(err) != http.StatusBadRequest {
			t.Errorf("a fingerprint opens: %v", err)
		}
		if _, err := w.as(who).CreateWorkspace(ctx, api.Order{ContextURL: "snapshot/" + list[0].ID, Confirmed: true}); status(err) != http.StatusBadRequest {
			t.Errorf("a fingerprint opens: %v", err)
		}
	}
	for who, want := range map[identity.UserID]int{linus: http.StatusNotFound, mallory: http.StatusNotFound, operator: 0} {
		if err := w.as(who).DeleteSnapshot(ctx, list[0].ID); status(err) != want && (want == 0 || status(err) != http.StatusForbidden) {
			t.Errorf("%v deletes: %v", who, err)
		}
	}
	hides("the log", w.audit.fitting(0, audit.Filter{}))
}
