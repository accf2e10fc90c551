package server

import (
	"log/slog"
	"testing"

	"github.com/lanyardhq/lanyard/internal/token"
)

// TestKeysAreReadAgain: a server takes over what its key file says, and keeps what it has when that cannot be read.
func TestKeysAreReadAgain(t *testing.T) {
	old, next := token.NewSealingKey(), token.NewSealingKey()
	sealer, err := token.NewSealer(old)
	if err != nil {
		t.Fatal(err)
	}
	keys := [][]byte{old, next}
	s := &Server{sealer: sealer, log: slog.New(slog.DiscardHandler)}
	s.options.ReadKeys = func() ([][]byte, error) { return keys, nil }
	s.readKeys()
	if ids := sealer.KeyIDs(); len(ids) != 2 || ids[0] != token.KeyID(old) {
		t.Errorf("%v", ids)
	}
	keys = [][]byte{[]byte("short")}
	s.readKeys()
	if len(sealer.KeyIDs()) != 2 {
		t.Error("good keys were given up for a bad one")
	}
}
