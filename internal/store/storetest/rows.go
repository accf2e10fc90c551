package storetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// onceOnly puts and takes one-use values.
func onceOnly(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	hash := sha256.Sum256([]byte("state"))
	if err := s.PutOnce(ctx, "state", hash, []byte("body \x00"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutOnce(ctx, "state", hash, nil, time.Now().Add(time.Hour)); problem.KindOf(err) != problem.Conflict {
		t.Errorf("put twice: %v", err)
	}
	if _, ok, err := s.TakeOnce(ctx, "handoff", hash); ok || err != nil {
		t.Errorf("taken as another kind: %v, %v", ok, err)
	}
	if body, ok, err := s.TakeOnce(ctx, "state", hash); !ok || err != nil || !bytes.Equal(body, []byte("body \x00")) {
		t.Errorf("took %q, %v, %v", body, ok, err)
	}
	if _, ok, err := s.TakeOnce(ctx, "state", hash); ok || err != nil {
		t.Errorf("taken twice: %v, %v", ok, err)
	}
	if err := s.PutOnce(ctx, "state", hash, nil, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.TakeOnce(ctx, "state", hash); ok || err != nil {
		t.Errorf("taken after its end: %v, %v", ok, err)
	}
	for n := range 3 { // each put sweeps what has expired
		if err := s.PutOnce(ctx, "state", sha256.Sum256([]byte{byte(n)}), nil, time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	var left int
	if err := db.Raw(t).QueryRow(`SELECT COUNT(*) FROM once`).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d expired rows are left, %v", left, err)
	}
}

// onceByTwo takes one value by many at once, from two processes.
func onceByTwo(t *testing.T, db Database) {
	ctx := t.Context()
	stores := []*store.Store{db.Open(t, "one"), db.Open(t, "two")}
	for n := range 20 {
		hash := sha256.Sum256([]byte{byte(n)})
		if err := stores[0].PutOnce(ctx, "code", hash, []byte("x"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var taken atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, ok, err := stores[i%2].TakeOnce(ctx, "code", hash)
				if err != nil {
					t.Error(err)
				}
				if ok {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Fatalf("taken %d times", taken.Load())
		}
	}
}

// projectsRoundTrip stores revisions, names and pins.
func projectsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	if r, names, pins, seq, err := s.LoadProjects(ctx); err != nil || r.Number != 0 || len(names)+len(pins) != 0 || seq != 0 {
		t.Fatalf("at first: %v %v %v %d %v", r, names, pins, seq, err)
	}
	one := project.Revision{Number: 1, At: now(), Projects: map[string]string{"payments.yaml": "project: payments\n"}}
	name := project.Name{Name: "payments", ID: "p-payments"}
	pin := project.Pin{Name: "payments-engineers", Group: groupID(1)}
	if _, err := s.SaveRevision(ctx, one, []project.Name{name}, []project.Pin{pin}, entry(feed.Projects)); err != nil {
		t.Fatal(err)
	}
	two := project.Revision{Number: 2, At: now(), Projects: map[string]string{"ledger.yaml": "\u20ac"}, Policies: map[string]string{"a.cedar": "forbid"}}
	more := project.Name{Name: "ledger", ID: "p-ledger"}
	if _, err := s.SaveRevision(ctx, two, []project.Name{more, name}, []project.Pin{pin}, entry(feed.Projects)); err != nil {
		t.Fatal(err)
	}
	three := project.Revision{Number: 3, At: now()}
	for what, try := range map[string]func() (feed.Seq, error){
		"a number twice": func() (feed.Seq, error) { return s.SaveRevision(ctx, two, nil, nil, entry(feed.Projects)) },
		"another ID for a name": func() (feed.Seq, error) {
			return s.SaveRevision(ctx, three, []project.Name{{Name: "ledger", ID: "p-other"}}, nil, entry(feed.Projects))
		},
		"another name for an ID": func() (feed.Seq, error) {
			return s.SaveRevision(ctx, three, []project.Name{{Name: "other", ID: "p-ledger"}}, nil, entry(feed.Projects))
		},
		"another group for a pin": func() (feed.Seq, error) {
			return s.SaveRevision(ctx, three, nil, []project.Pin{{Name: pin.Name, Group: groupID(2)}}, entry(feed.Projects))
		},
	} {
		if _, err := try(); problem.KindOf(err) != problem.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	r, names, pins, seq, err := s.LoadProjects(ctx)
	if err != nil || seq != 2 {
		t.Fatalf("number %d, %v", seq, err)
	}
	if diff := cmp.Diff(two, r) + cmp.Diff([]project.Name{more, name}, names) + cmp.Diff([]project.Pin{pin}, pins); diff != "" {
		t.Error(diff)
	}
}

// workspacesRoundTrip stores, changes and deletes workspaces.
func workspacesRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	w := workspace.Workspace{ID: identity.NewWorkspaceID(), Owner: userID(1), OwnerName: "Ada", Project: "p-1", Repository: "https://git.example.test/payments/api",
		Ref: "main", Name: "api", Session: "s-1", Desired: workspace.WantRunning, Phase: workspace.Preparing, Created: now(), Changed: now()}
	other := w
	other.ID, other.Created = identity.NewWorkspaceID(), w.Created.Add(time.Second)
	for _, v := range []workspace.Workspace{w, other} {
		if _, err := s.SaveWorkspace(ctx, v, entry(feed.Workspace, string(v.ID))); err != nil {
			t.Fatal(err)
		}
	}
	w.Phase, w.Message = workspace.Running, "ready"
	if _, err := s.SaveWorkspace(ctx, w, entry(feed.Workspace)); err != nil {
		t.Fatal(err)
	}
	got, seq, err := s.LoadWorkspaces(ctx)
	if err != nil || seq != 3 {
		t.Fatalf("number %d, %v", seq, err)
	}
	if diff := cmp.Diff([]workspace.Workspace{w, other}, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if _, err := s.DeleteWorkspace(ctx, w.ID, entry(feed.Workspace)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err = s.LoadWorkspaces(ctx); err != nil || len(got) != 1 || got[0].ID != other.ID {
		t.Errorf("after deleting: %v, %v", got, err)
	}
}

// keysRoundTrip stores sealed keys.
func keysRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	var want []store.Key
	for n := range 3 {
		k := store.Key{ID: fmt.Sprint("k", n), Kind: "assertion", Sealed: []byte{0, byte(n)}, Created: now().Add(time.Duration(n) * time.Second)}
		if n == 0 {
			k.Retired = now()
		}
		if err := s.AddKey(ctx, k); err != nil {
			t.Fatal(err)
		}
		want = append(want, k)
	}
	if err := s.AddKey(ctx, want[0]); problem.KindOf(err) != problem.Conflict {
		t.Errorf("added twice: %v", err)
	}
	if err := s.AddKey(ctx, store.Key{ID: "empty", Kind: "assertion"}); err == nil {
		t.Error("a key without content was stored")
	}
	got, err := s.Keys(ctx, "assertion")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err = s.Keys(ctx, "audit"); err != nil || len(got) != 0 {
		t.Errorf("of another kind: %v, %v", got, err)
	}
	replaced := store.Key{ID: "acme a", Kind: "acme", Sealed: []byte{1}, Created: now()}
	for _, sealed := range [][]byte{{1}, {2, 2}} {
		replaced.Sealed = sealed
		if err := s.PutKey(ctx, replaced); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutKey(ctx, store.Key{ID: "empty", Kind: "acme"}); err == nil {
		t.Error("a key without content was put")
	}
	if got, err = s.Keys(ctx, "acme"); err != nil || !cmp.Equal(got, []store.Key{replaced}) {
		t.Errorf("after it was put twice: %v, %v", got, err)
	}
	for range 2 {
		if err := s.DropKey(ctx, "assertion", replaced.ID); err != nil {
			t.Error(err)
		}
	}
	if got, err = s.Keys(ctx, "acme"); err != nil || len(got) != 1 {
		t.Errorf("dropped as one of another kind: %v, %v", got, err)
	}
	if err := s.DropKey(ctx, "acme", replaced.ID); err != nil {
		t.Error(err)
	}
	if got, err = s.Keys(ctx, "acme"); err != nil || len(got) != 0 {
		t.Errorf("after it was dropped: %v, %v", got, err)
	}
}
