package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// other is the other kind of database, for what must fit both.
func (d Database) other(t testing.TB) Database {
	if d.Config.SQLite != "" {
		return OnPostgreSQL(t)
	}
	return SQLite(t)
}

// backedUp copies a database under writes into an empty one of its own kind and of the other.
func backedUp(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	i := signIn(now())
	if _, err := s.SaveSignIn(ctx, i, []session.Session{below(i)}, entry(feed.Sessions), audit.Event{Time: now(), Action: "signin"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveDirectory(ctx, directory.Change{AsOf: now(), Cursors: map[string]string{"users": "delta"},
		Users: []directory.User{{ID: userID(1), Name: "Ada \u20ac \"quoted\"", Enabled: true}, {ID: userID(2), Name: "Linus"}}}, entry(feed.Directory)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveRevision(ctx, project.Revision{Number: 1, At: now(), Projects: map[string]string{"a.yaml": "project: a\n"}},
		[]project.Name{{Name: "a", ID: "p-a"}}, nil, entry(feed.Projects)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddKey(ctx, store.Key{ID: "k", Kind: "assertion", Sealed: []byte{0, 255, 1}, Created: now()}); err != nil {
		t.Fatal(err)
	}
	writing, stop := context.WithCancel(ctx)
	var writers sync.WaitGroup
	writers.Go(func() {
		for n := 0; writing.Err() == nil; n++ {
			w := workspace.Workspace{ID: identity.WorkspaceID(fmt.Sprintf("w-%06d", n)), Owner: userID(1), Desired: workspace.WantRunning,
				Phase: workspace.Running, Created: now(), Changed: now()}
			if _, err := s.SaveWorkspace(ctx, w, entry(feed.Workspace), audit.Event{Time: now(), Action: "workspace:create"}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	time.Sleep(50 * time.Millisecond)
	var backup bytes.Buffer
	sum, err := s.Backup(ctx, &backup)
	stop()
	writers.Wait()
	if err != nil || sum.Rows == 0 {
		t.Fatal(sum, err)
	}
	restored := audit.Event{Time: now(), Action: "data:restore"}
	for _, to := range []Database{db.other(t), fresh(t, db)} {
		c := to.Open(t, "two")
		if _, err := c.Restore(ctx, bytes.NewReader(backup.Bytes()[:backup.Len()/2]), restored); problem.KindOf(err) != problem.Invalid {
			t.Errorf("half a backup: %v", err)
		}
		got, err := c.Restore(ctx, bytes.NewReader(backup.Bytes()), restored)
		if err != nil || got.Rows != sum.Rows {
			t.Fatal(got, err)
		}
		if _, err := c.Restore(ctx, bytes.NewReader(backup.Bytes()), restored); problem.KindOf(err) != problem.Conflict {
			t.Errorf("over a database in use: %v", err)
		}
		ins, _, err := c.ReadSessions(ctx, []string{string(i.ID)})
		if err != nil || len(ins) != 1 || ins[0].Ended.IsZero() || ins[0].EndedWhy != store.RestoredWhy || len(ins[0].Refresh) != 0 {
			t.Errorf("a sign-in came back: %+v, %v", ins, err)
		}
		if _, sessions, _, err := c.LoadSessions(ctx); err != nil || slices.ContainsFunc(sessions, func(v session.Session) bool { return v.Ended.IsZero() }) {
			t.Errorf("a session came back: %+v, %v", sessions, err)
		}
		all, cursors, asOf, _, err := c.LoadDirectory(ctx)
		if err != nil || len(all.Users) != 2 || len(cursors) != 0 || !asOf.IsZero() {
			t.Errorf("the directory: %v, %v, %v, %v", all.Users, cursors, asOf, err)
		}
		if !slices.ContainsFunc(all.Users, func(u directory.User) bool { return u.Name == "Ada \u20ac \"quoted\"" && u.Enabled }) {
			t.Errorf("users: %+v", all.Users)
		}
		if keys, err := c.Keys(ctx, "assertion"); err != nil || len(keys) != 1 || !bytes.Equal(keys[0].Sealed, []byte{0, 255, 1}) {
			t.Errorf("keys: %+v, %v", keys, err)
		}
		r, names, _, _, err := c.LoadProjects(ctx)
		if err != nil || r.Number != 1 || r.Projects["a.yaml"] != "project: a\n" || len(names) != 1 {
			t.Errorf("projects: %+v, %v, %v", r, names, err)
		}
		oneMoment(t, to.Raw(t))
	}
}

func fresh(t testing.TB, db Database) Database {
	if db.Config.SQLite != "" {
		return SQLite(t)
	}
	return OnPostgreSQL(t)
}

// oneMoment checks that a copy holds a change whole or not at all: a workspace, its feed number and its event.
func oneMoment(t *testing.T, db *sql.DB) {
	count := func(query string) (n int) {
		t.Helper()
		if err := db.QueryRow(query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	workspaces, head, events := count(`SELECT COUNT(*) FROM workspaces`), count(`SELECT seq FROM feed_head`), count(`SELECT COUNT(*) FROM audit_entries`)
	if head != workspaces+4 || events != workspaces+2 {
		t.Errorf("%d workspaces, feed number %d, %d events", workspaces, head, events)
	}
}
