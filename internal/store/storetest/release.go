package storetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/store"
)

// laterRelease opens a database that a later release has migrated.
func laterRelease(t *testing.T, db Database) {
	db.Open(t, "one")
	if _, err := db.Raw(t).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, TRUE)`); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		c := db.Config
		c.ReadOnly = readOnly
		s, err := store.Open(t.Context(), c)
		if err == nil {
			s.Close()
			t.Fatal("opened")
		}
		if !strings.Contains(err.Error(), "later release") {
			t.Errorf("the message is: %v", err)
		}
	}
}

// readOnly opens a database beside its server, and when there is none.
func readOnly(t *testing.T, db Database) {
	db.remove(t)
	ctx := t.Context()
	c := db.Config
	c.ReadOnly = true
	if db.Config.SQLite != "" {
		if s, err := store.Open(ctx, c); err == nil {
			s.Close()
			t.Error("a database that is not there was opened")
		}
		if names, _ := filepath.Glob(db.Config.SQLite + "*"); len(names) != 0 {
			t.Errorf("made: %v", names)
		}
	}
	server, err := store.Open(ctx, db.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.InsertRecords(ctx, Records(t, audit.Event{Action: "a"})); err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		s, err := store.Open(ctx, c)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		defer s.Close()
		if pending, err := s.Leaves(ctx, -1, 9); err != nil || len(pending) != 1 {
			t.Errorf("%s: %v, %v", when, pending, err)
		}
		if _, err := s.Announce(ctx, entry(feed.Leases)); err == nil {
			t.Errorf("%s: a change was written", when)
		}
	}
	look("beside the server")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	look("without a server")
	if db.Config.SQLite != "" {
		if info, err := os.Stat(db.Config.SQLite); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file's mode: %v, %v", info.Mode(), err)
		}
	}
}

// openTogether starts several processes on an empty database at once.
func openTogether(t *testing.T, db Database) {
	db.remove(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := store.Open(context.Background(), db.Config)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
