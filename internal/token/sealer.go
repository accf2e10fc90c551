package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// SealingKeySize is the length in bytes of the installation's encryption key (AES-256).
const SealingKeySize = 32

// Sealer encrypts what is kept at rest, with AES-256-GCM under the installation's encryption key. A sealed value is
// the 12-byte nonce followed by the ciphertext.
type Sealer struct{ aead cipher.AEAD }

// NewSealer returns a Sealer for a key of SealingKeySize bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != SealingKeySize {
		return nil, fmt.Errorf("the encryption key has %d bytes; it needs %d", len(key), SealingKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead}, nil
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
	return s.aead.Seal(nil, nil, plain, []byte(associated))
}

var errSealed = errors.New("the sealed value cannot be opened: it was changed, or sealed under another encryption key")

// Open is the inverse of Seal.
func (s *Sealer) Open(associated string, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(associated))
	if err != nil {
		return nil, errSealed // the cause of a failed authentication says nothing, by design
	}
	return plain, nil
}
