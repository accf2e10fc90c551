package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store"
)

// SQLite returns an empty SQLite database of this release's schema in a folder of the test.
func SQLite(t testing.TB) Database {
	t.Helper()
	file, err := empty()
	if err != nil {
		t.Fatalf("SQLite for tests: %v", err)
	}
	path := filepath.Join(t.TempDir(), "lanyard.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return Database{store.Config{SQLite: path}}
}

// empty is the file of such a database, made once per test binary: bringing one to this release's schema takes longer than
// most tests.
var empty = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "lanyard-db-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c := store.Config{SQLite: filepath.Join(dir, "lanyard.db"), Origin: "test"}
	s, err := store.Open(context.Background(), c)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // what is in the log goes into the file
		return nil, err
	}
	return os.ReadFile(c.SQLite)
})

// remove takes the file of a SQLite database away, for tests of how it is made.
func (d Database) remove(t testing.TB) {
	t.Helper()
	if d.Config.SQLite == "" {
		return
	}
	if err := os.Remove(d.Config.SQLite); err != nil {
		t.Fatal(err)
	}
}
