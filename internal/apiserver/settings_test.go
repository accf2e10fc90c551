package apiserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/snapshot"
)

// memorySettings are variables by scope and name.
type memorySettings struct {
	mu       sync.Mutex
	all      []setting.Variable
	dotfiles map[identity.UserID]string
}

func (m *memorySettings) Set(_ context.Context, v setting.Variable) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, v)
	return nil
}

func (m *memorySettings) Unset(context.Context, setting.Scope, string) error { return nil }

func (m *memorySettings) List(_ context.Context, of setting.Scope) (list []setting.Variable, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.all {
		if v.User == of.User && v.Project == of.Project {
			list = append(list, v)
		}
	}
	return list, nil
}

func (m *memorySettings) Dotfiles(_ context.Context, u identity.UserID) (string, error) {
	return m.dotfiles[u], nil
}

func (m *memorySettings) SetDotfiles(_ context.Context, u identity.UserID, r string) error {
	m.dotfiles[u] = r
	return nil
}

// memorySnapshots holds one, of Ada's.
type memorySnapshots struct{ row snapshot.Row }

func (m memorySnapshots) Get(_ context.Context, id identity.SnapshotID) (snapshot.Row, bool, error) {
	return m.row, id == m.row.ID, nil
}

func (m memorySnapshots) List(context.Context) ([]snapshot.Row, error) {
	return []snapshot.Row{m.row}, nil
}

func (m memorySnapshots) Delete(context.Context, identity.SnapshotID, audit.Event) error { return nil }

// settingsOf are the settings of a world.
func settingsOf() *memorySettings { return &memorySettings{dotfiles: map[identity.UserID]string{}} }

func snapshotOfAda() memorySnapshots {
	return memorySnapshots{snapshot.Row{
		ID: "snap-aaaaaaaaaaaaaaaa", Owner: ada, OwnerName: "Ada Lovelace", Workspace: "w-aaaaaaaaaaaaaaaa", Project: projectID, Repository: apiURL, Name: "api",
		Created: time.Now(), Expires: time.Now().Add(time.Hour),
	}}
}

// Whose variables somebody sees and sets: their own; a project's as their role there says; a stranger learns of none.
func TestWhoseVariables(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []struct {
		who    identity.UserID
		v      api.SetVariable
		status int
	}{
		{ada, api.SetVariable{Name: "A", Value: "mine", Secret: true}, 0},
		{ada, api.SetVariable{Name: "A", Project: "payments"}, http.StatusForbidden},
		{mallory, api.SetVariable{Name: "A", Project: "payments"}, http.StatusNotFound},
		{mallory, api.SetVariable{Name: "A", Project: "none"}, http.StatusNotFound},
		{operator, api.SetVariable{Name: "A"}, http.StatusForbidden},
		{ada, api.SetVariable{Name: "LANYARD_A"}, http.StatusBadRequest},
		{ada, api.SetVariable{Name: "A", Repository: "-x"}, http.StatusBadRequest},
	} {
		got, err := w.as(c.who).SetVariable(ctx, c.v)
		if status(err) != c.status || got.Value != "" && got.Secret {
			t.Errorf("%v sets %+v: %+v %v", c.who, c.v, got, err)
		}
	}
	list, err := w.as(ada).Variables(ctx, "")
	if err != nil || len(list) != 1 || list[0].Value != "" || !list[0].Secret || list[0].By != "Ada Lovelace" {
		t.Errorf("%+v %v", list, err)
	}
	if list, err := w.as(linus).Variables(ctx, "payments"); err != nil || len(list) != 0 {
		t.Errorf("a viewer: %v %v", list, err)
	}
	if _, err := w.as(mallory).Variables(ctx, "payments"); status(err) != http.StatusNotFound || !strings.Contains(err.Error(), "There is no project") {
		t.Errorf("a stranger: %v", err)
	}
	for _, e := range w.audit.fitting(-1, audit.Filter{Action: "env:set"}) {
		if e.Detail["variable"] != "A" || e.Detail["value"] != nil {
			t.Errorf("the log: %+v", e)
		}
	}
}

// TestAttack30NobodySetsForOthersWhatLoadsCode: a person decides what their own programs load, and not what everybody's do.
func TestAttack30NobodySetsForOthersWhatLoadsCode(t *testing.T) {
	w := newWorld(t)
	for project, want := range map[string]int{"": 0, "payments": http.StatusBadRequest} {
		if _, err := w.as(ada).SetVariable(t.Context(), api.SetVariable{Name: "LD_PRELOAD", Value: "/tmp/x.so", Project: project}); status(err) != want {
			t.Errorf("project %q: %v", project, err)
		}
	}
}

// TestAttack30AnothersSnapshotIsSaidToBe: what runs of a snapshot is its owner's, so whoever opens it is told whose that is, and the
// workspace remembers.
func TestAttack30AnothersSnapshotIsSaidToBe(t *testing.T) {
	w := newWorld(t)
	const id = "snap-aaaaaaaaaaaaaaaa"
	for _, c := range []struct {
		who identity.UserID
		own bool
	}{{ada, true}, {linus, false}} {
		var got api.Context
		if err := w.as(c.who).Do(t.Context(), http.MethodGet, "/context", map[string][]string{"url": {"snapshot/" + id}}, nil, &got); err != nil {
			t.Fatal(err)
		}
		if s := got.Snapshot; s == nil || s.ID != id || s.OwnerName != "Ada Lovelace" || s.Own != c.own || s.Created.IsZero() {
			t.Errorf("%v: %+v", c.who, s)
		}
		made, err := w.as(c.who).OpenSnapshot(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if row, _ := w.workspaces.Get(identity.WorkspaceID(made.ID)); row.Foreign == c.own {
			t.Errorf("%v: the workspace's files are another's: %v", c.who, row.Foreign)
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
		made, err := w.as(c.who).OpenSnapshot(ctx, c.id)
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
	if _, err := w.as(linus).OpenSnapshot(ctx, "snap-aaaaaaaaaaaaaaaa"); status(err) != http.StatusNotFound {
		t.Errorf("after the role is gone: %v", err)
	}
}
