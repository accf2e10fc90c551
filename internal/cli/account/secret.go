package account

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Where secrets are kept.
const (
	KeptByKeychain = "keychain"
	KeptInFile     = "file"
)

// keychainService is what the secrets are filed under in the keychain.
const keychainService = "lanyard"

// secret is what must not be seen: the private key, and the tokens that are bound to it.
type secret struct {
	Key     []byte    `json:"key"` // PKCS #8
	Refresh string    `json:"refresh"`
	Access  string    `json:"access"`
	Ends    time.Time `json:"ends"` // of the access token
	Nonce   string    `json:"nonce,omitempty"`

	private *ecdsa.PrivateKey
}

func newSecret() (*secret, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return &secret{Key: der, private: private}, err
}

// secretFile is where the secret of a server is, if it is in a file.
func (s *Store) secretFile(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(s.Dir, "secrets", hex.EncodeToString(sum[:8])+".json")
}

// save keeps a secret and says where.
func (s *Store) save(url string, v *secret) (kept string, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	if s.Keychain && keyring.Set(keychainService, url, string(text)) == nil {
		return KeptByKeychain, nil
	}
	if text, err = seal(url, text); err != nil {
		return "", err
	}
	if err := writePrivate(s.secretFile(url), text); err != nil {
		return "", fmt.Errorf("keep the tokens: %w", err)
	}
	return KeptInFile, nil
}

// saveAgain keeps the secret of a context anew; the lock is held. Where it cannot go to where it was, or can go to the keychain
// now, the list of servers says so: what would be read from the old place was used already.
func (s *Store) saveAgain(c Context, v *secret) error {
	kept, err := s.save(c.URL, v)
	if err != nil || kept == c.Kept {
		return err
	}
	return s.changeLocked(func(b *book) error {
		if i := b.index(c.URL); i >= 0 {
			b.Contexts[i].Kept = kept
		}
		if kept == KeptByKeychain {
			if err := os.Remove(s.secretFile(c.URL)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

// load reads the secret of a context.
func (s *Store) load(c Context) (*secret, error) {
	var text []byte
	if c.Kept == KeptByKeychain {
		found, err := keyring.Get(keychainService, c.URL)
		if err != nil {
			return nil, problem.Wrap(err, problem.SignInNeeded, "The keychain does not give the tokens for %s (%v). Unlock it, or sign in again: lanyard login %s", c.URL, err, c.URL)
		}
		text = []byte(found)
	} else {
		path := s.secretFile(c.URL)
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			return nil, problem.New(problem.Denied, "%s may be read by others than you. Run: chmod 600 %s — and sign in again, since somebody may have read it.", path, path)
		}
		if err == nil {
			text, err = os.ReadFile(path)
		}
		if err != nil {
			return nil, problem.Wrap(err, problem.SignInNeeded, "The tokens for %s are not there any more. Sign in again: lanyard login %s", c.URL, c.URL)
		}
		if text, err = unseal(c.URL, text); err != nil {
			return nil, err
		}
	}
	v := &secret{}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, problem.Wrap(err, problem.SignInNeeded, "What is kept for %s cannot be read. Sign in again: lanyard login %s", c.URL, c.URL)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(v.Key)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, problem.Wrap(err, problem.SignInNeeded, "What is kept for %s cannot be read. Sign in again: lanyard login %s", c.URL, c.URL)
	}
	v.private = private
	return v, nil
}

// forget removes the secret of a context, wherever it is.
func (s *Store) forget(c Context) error {
	if c.Kept == KeptByKeychain {
		if err := keyring.Delete(keychainService, c.URL); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			return fmt.Errorf("remove the tokens from the keychain: %w", err)
		}
	}
	if err := os.Remove(s.secretFile(c.URL)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the tokens: %w", err)
	}
	return nil
}
