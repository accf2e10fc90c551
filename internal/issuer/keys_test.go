package issuer_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/token"
)

// signing are the keys of all worlds of a run, and what they are sealed under: making an RSA key takes longer than a test.
var signing = sync.OnceValues(func() (*token.Sealer, error) { return token.NewSealer(token.NewSealingKey()) })

var signingRows keyRows

// keyRows keeps keys in memory.
type keyRows struct {
	mu   sync.Mutex
	rows []token.Key
}

func (k *keyRows) Keys(_ context.Context, kind string) (of []token.Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.rows), func(row token.Key) bool { return row.Kind != kind }), nil
}

func (k *keyRows) AddKey(_ context.Context, row token.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = append(k.rows, row)
	return nil
}

// empty is the file of a database with nothing in it. Bringing one to this release's schema takes longer than most tests.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "issuer-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c := store.Config{SQLite: filepath.Join(dir, "lanyard.db"), Origin: "test", Log: slog.New(slog.DiscardHandler)}
	rows, err := store.Open(context.Background(), c)
	if err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil { // what is in the log goes into the file
		return nil, err
	}
	return os.ReadFile(c.SQLite)
})

// database opens a database of the test's own.
func database(t *testing.T) *store.Store {
	t.Helper()
	file, err := empty()
	if err != nil {
		t.Fatal(err)
	}
	c := store.Config{SQLite: filepath.Join(t.TempDir(), "lanyard.db"), Origin: "test", Log: slog.New(slog.DiscardHandler)}
	if err := os.WriteFile(c.SQLite, file, 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	return rows
}
