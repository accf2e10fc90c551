package tlscert

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/acme/autocert"

	"github.com/lanyardhq/lanyard/internal/token"
)

// memory keeps rows as a database does.
type memory struct{ keys []token.Key }

func (m *memory) Keys(_ context.Context, kind string) (list []token.Key, err error) {
	for _, k := range m.keys {
		if k.Kind == kind {
			list = append(list, k)
		}
	}
	return list, nil
}

func (m *memory) PutKey(ctx context.Context, k token.Key) error {
	_ = m.DropKey(ctx, k.Kind, k.ID) // never fails
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) DropKey(_ context.Context, kind, id string) error {
	m.keys = slices.DeleteFunc(m.keys, func(k token.Key) bool { return k.Kind == kind && k.ID == id })
	return nil
}

// TestWhatIsKept is sealed, of one authority, and there until it is dropped.
func TestWhatIsKept(t *testing.T) {
	ctx, rows, sealer := t.Context(), &memory{}, mustSealer(t)
	real, trying := rowCache{rows, sealer, "https://ca.example.test/dir"}, rowCache{rows, sealer, "https://staging.example.test/dir"}
	const name, secret = "lanyard.example.test", "the private key of a test"
	for _, value := range []string{secret, secret + " again"} {
		if err := real.Put(ctx, name, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := real.Get(ctx, name); string(got) != value || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if len(rows.keys) != 1 || bytes.Contains(rows.keys[0].Sealed, []byte(secret)) {
		t.Errorf("kept are %+v", rows.keys)
	}
	for _, other := range []struct {
		rowCache
		name string
	}{{trying, name}, {real, "docs.example.test"}} {
		if _, err := other.Get(ctx, other.name); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("%s at %s: %v", other.name, other.directory, err)
		}
	}
	stolen := rowCache{rows, mustSealer(t), real.directory}
	if _, err := stolen.Get(ctx, name); err == nil || errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("with another encryption key: %v", err) // and nothing new is asked for
	}
	for range 2 {
		if err := real.Delete(ctx, name); err != nil {
			t.Error(err)
		}
	}
	if _, err := real.Get(ctx, name); !errors.Is(err, autocert.ErrCacheMiss) {
		t.Errorf("after it was dropped: %v", err)
	}
}

func mustSealer(t *testing.T) *token.Sealer {
	t.Helper()
	s, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
