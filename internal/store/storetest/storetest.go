// Package storetest defines what a store is, by tests that every database must pass, and provides databases for tests.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store"
)

// Opener opens the same, at first empty, database at each call, as another process would.
type Opener func(t testing.TB, origin string) *store.Store

// SQLite returns an opener of a new SQLite database.
func SQLite(t testing.TB) Opener {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	return func(t testing.TB, origin string) *store.Store {
		return Open(t, store.Config{SQLite: path, Origin: origin})
	}
}

// OnPostgreSQL returns an opener of a new PostgreSQL database.
func OnPostgreSQL(t testing.TB) Opener {
	url := PostgreSQL(t)
	return func(t testing.TB, origin string) *store.Store {
		return Open(t, store.Config{PostgreSQL: url, Origin: origin})
	}
}

// Open opens a store and closes it with the test.
func Open(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Run is the conformance suite: each test gets a database of its own from fresh.
func Run(t *testing.T, fresh func(testing.TB) Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"DirectoryRoundTrip", directoryRoundTrip},
		{"DirectoryLarge", directoryLarge},
		{"DirectorySwap", directorySwap},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}
