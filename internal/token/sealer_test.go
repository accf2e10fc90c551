package token

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// Row 33 of the list of attacks: what one key sealed opens while another takes its place, also what was sealed before keys
// had IDs, and no longer when it is gone.
func TestAttack33SealedAcrossARotation(t *testing.T) {
	old, next := NewSealingKey(), NewSealingKey()
	block, err := aes.NewCipher(old)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSealer(old)
	if err != nil {
		t.Fatal(err)
	}
	nameless, named := bare.Seal(nil, nil, []byte("secret"), []byte("what")), s.Seal("what", []byte("secret"))
	if err := s.Replace(next, old); err != nil {
		t.Fatal(err)
	}
	if ids := s.KeyIDs(); len(ids) != 2 || ids[0] != KeyID(next) {
		t.Errorf("%v", ids)
	}
	for _, sealed := range [][]byte{nameless, named} {
		if plain, err := s.Open("what", sealed); err != nil || string(plain) != "secret" {
			t.Errorf("%q, %v", plain, err)
		}
		if _, err := s.Open("else", sealed); err == nil {
			t.Error("it opens as something else")
		}
		again, changed, err := s.Reseal("what", sealed)
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		if same, changed, err := s.Reseal("what", again); changed || err != nil || !bytes.Equal(same, again) {
			t.Error("what is sealed under the new key already was changed", err)
		}
		alone, err := NewSealer(next)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := alone.Open("what", again); err != nil || string(plain) != "secret" {
			t.Errorf("%q, %v", plain, err)
		}
		if _, err := alone.Open("what", sealed); err == nil {
			t.Error("it opens without its key")
		}
	}
	tag := s.Tag("purpose", "text")
	other, err := NewSealer(old, next)
	if err != nil {
		t.Fatal(err)
	}
	if !other.Tagged("purpose", "text", tag) || other.Tagged("purpose", "else", tag) || other.Tagged("other", "text", tag) {
		t.Error("tags")
	}
	if err := s.Replace(); err == nil {
		t.Error("a sealer without a key")
	}
}
