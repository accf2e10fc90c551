package issuer_test

import (
	"context"
	"slices"
	"sync"

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
