package token

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// SealingKeySize is the length in bytes of the installation's encryption key (AES-256).
const SealingKeySize = 32

// A sealed value is sealedMagic, the first sealedID bytes of its key's ID, the 12-byte nonce and the ciphertext. One of
// before keys had IDs is nonce and ciphertext alone.
const (
	sealedMagic = "ly1\x00"
	sealedID    = 8
)

// Sealer encrypts what is kept at rest, with AES-256-GCM under the installation's encryption key. It may hold several
// keys, while one takes the place of another: the first one seals, all of them open.
type Sealer struct{ ring atomic.Pointer[[]sealingKey] }

type sealingKey struct {
	id   [sealedID]byte
	key  []byte
	aead cipher.AEAD
}

// NewSealer returns a Sealer for keys of SealingKeySize bytes each; the first one seals.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	s := &Sealer{}
	return s, s.Replace(keys...)
}

// Replace gives the Sealer other keys. With an error it keeps those that it has.
func (s *Sealer) Replace(keys ...[]byte) error {
	if len(keys) == 0 {
		return errors.New("there is no encryption key")
	}
	var ring []sealingKey
	for _, key := range keys {
		if len(key) != SealingKeySize {
			return fmt.Errorf("the encryption key has %d bytes; it needs %d", len(key), SealingKeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return err
		}
		ring = append(ring, sealingKey{id: idOf(key), key: bytes.Clone(key), aead: aead})
	}
	s.ring.Store(&ring)
	return nil
}

func idOf(key []byte) (id [sealedID]byte) {
	sum := sha256.Sum256(append([]byte("lanyard encryption key "), key...))
	copy(id[:], sum[:])
	return id
}

// KeyID names an encryption key without telling anything of it.
func KeyID(key []byte) string {
	id := idOf(key)
	return hex.EncodeToString(id[:])
}

// KeyIDs are the IDs of the keys that open; the first one seals.
func (s *Sealer) KeyIDs() (ids []string) {
	for _, k := range *s.ring.Load() {
		ids = append(ids, hex.EncodeToString(k.id[:]))
	}
	return ids
}

// NewSealingKey returns a fresh random encryption key.
func NewSealingKey() []byte {
	key := make([]byte, SealingKeySize)
	rand.Read(key) // never fails (crypto/rand)
	return key
}

// Seal encrypts plain. The associated data says what the value is and whose, so that one sealed value cannot be put
// in the place of another; Open needs the same.
func (s *Sealer) Seal(associated string, plain []byte) []byte {
	k := (*s.ring.Load())[0]
	return k.aead.Seal(append([]byte(sealedMagic), k.id[:]...), nil, plain, []byte(associated))
}

var errSealed = errors.New("the sealed value cannot be opened: it was changed, or sealed under another encryption key")

// Open is the inverse of Seal.
func (s *Sealer) Open(associated string, sealed []byte) ([]byte, error) {
	ring := *s.ring.Load()
	if id, rest, ok := named(sealed); ok {
		for _, k := range ring {
			if k.id == id {
				if plain, err := k.aead.Open(nil, nil, rest, []byte(associated)); err == nil {
					return plain, nil
				}
			}
		}
	}
	for _, k := range ring { // of before keys had IDs
		if plain, err := k.aead.Open(nil, nil, sealed, []byte(associated)); err == nil {
			return plain, nil
		}
	}
	return nil, errSealed // the cause of a failed authentication says nothing, by design
}

func named(sealed []byte) (id [sealedID]byte, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(sealed, []byte(sealedMagic))
	if !ok || len(rest) < sealedID {
		return id, nil, false
	}
	copy(id[:], rest)
	return id, rest[sealedID:], true
}

// Reseal returns the value sealed under the key that seals now. changed is false when it is already.
func (s *Sealer) Reseal(associated string, sealed []byte) (again []byte, changed bool, err error) {
	plain, err := s.Open(associated, sealed)
	if err != nil {
		return nil, false, err
	}
	if id, _, ok := named(sealed); ok && id == (*s.ring.Load())[0].id {
		return sealed, false, nil
	}
	return s.Seal(associated, plain), true, nil
}

// Derive returns a key for a purpose, of the encryption key that seals now. It serves between replicas, which have that
// key in common.
func (s *Sealer) Derive(purpose string) []byte { return derive((*s.ring.Load())[0].key, purpose) }

// DeriveAll is Derive for every key that opens.
func (s *Sealer) DeriveAll(purpose string) (all [][]byte) {
	for _, k := range *s.ring.Load() {
		all = append(all, derive(k.key, purpose))
	}
	return all
}

func derive(key []byte, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, key, nil, "lanyard "+purpose, sha256.Size)
	if err != nil {
		panic("hkdf: " + err.Error()) // the length is a constant that is allowed
	}
	return out
}

// Tag authenticates text between replicas, for one purpose.
func (s *Sealer) Tag(purpose, text string) string { return tag(s.Derive(purpose), text) }

// Tagged reports whether a replica with a key in common tagged text for the purpose.
func (s *Sealer) Tagged(purpose, text, by string) bool {
	return slices.ContainsFunc(s.DeriveAll(purpose), func(key []byte) bool { return hmac.Equal([]byte(tag(key, text)), []byte(by)) })
}

func tag(key []byte, text string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}
