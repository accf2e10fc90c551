package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"os"
	"strconv"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// sealed is what a file holds of a secret where there is no keychain. What opens it comes of the machine's ID and the user's, which
// are no secrets: it keeps a copy of the file, such as one in a backup, from being of use on another machine. It keeps nothing
// from who runs programs as this user, or reads all of this machine's disk.
type sealed struct {
	Salt []byte `json:"salt"`
	Text []byte `json:"sealed"` // AES-256-GCM, after its nonce
}

// machineCipher is the cipher of files of this user on this machine.
func machineCipher(salt []byte) (cipher.AEAD, error) {
	machine := machineID() + " " + strconv.Itoa(os.Getuid())
	key, err := hkdf.Key(sha256.New, []byte(machine), salt, "lanyard tokens in a file", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(url string, text []byte) ([]byte, error) {
	s := sealed{Salt: make([]byte, sha256.Size)}
	rand.Read(s.Salt) // never fails (crypto/rand)
	c, err := machineCipher(s.Salt)
	if err != nil {
		return nil, err
	}
	s.Text = c.Seal(nil, nil, text, []byte(url))
	return json.Marshal(s)
}

func unseal(url string, file []byte) ([]byte, error) {
	var s sealed
	if err := json.Unmarshal(file, &s); err != nil {
		return nil, problem.Wrap(err, problem.SignInNeeded, "What is kept for %s cannot be read. Sign in again: lanyard login %s", url, url)
	}
	c, err := machineCipher(s.Salt)
	if err != nil {
		return nil, err
	}
	text, err := c.Open(nil, nil, s.Text, []byte(url))
	if err != nil {
		return nil, problem.Wrap(err, problem.SignInNeeded, "The tokens for %s were kept on another machine, or by another user, and are of no use here. Sign in here: lanyard login %s", url, url)
	}
	return text, nil
}
