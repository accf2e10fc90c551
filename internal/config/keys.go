package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nextKey marks a key that does not encrypt yet, in the file of encryption keys.
const nextKey = "next:"

// EncryptionKeys is the content of the file of encryption keys: each 32 bytes in base64 or hexadecimal, on a line of
// its own. There is one, but while `lanyard keys rotate` puts another in its place.
type EncryptionKeys struct {
	Keys [][]byte // the first one encrypts, all of them decrypt
	Next bool     // the last one is to become the first, when every replica has it
}

// ReadEncryptionKeys reads the keys under which everything that is encrypted at rest is encrypted.
func ReadEncryptionKeys(path string) (keys EncryptionKeys, err error) {
	text, err := readSecret(path)
	if errors.Is(err, os.ErrNotExist) {
		return keys, fmt.Errorf("%w; make one with: (umask 077 && openssl rand -base64 32 > %s)", err, path)
	}
	if err != nil {
		return keys, err
	}
	for line := range strings.Lines(text) {
		written, next := strings.CutPrefix(strings.TrimSpace(line), nextKey)
		key, ok := decodeKey(strings.TrimSpace(written))
		if !ok || keys.Next || next && len(keys.Keys) == 0 {
			return keys, fmt.Errorf("%s: the key is %d random bytes in base64 or hexadecimal; make one with: (umask 077 && openssl rand -base64 32 > %s)", path, keySize, path)
		}
		keys.Keys, keys.Next = append(keys.Keys, key), next
	}
	return keys, nil
}

// Write replaces the file in one step; what a crash leaves is the old content or the new one.
func (k EncryptionKeys) Write(path string) error {
	var text strings.Builder
	for i, key := range k.Keys {
		if k.Next && i == len(k.Keys)-1 {
			text.WriteString(nextKey + " ")
		}
		text.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	}
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("write the encryption keys: %w", err)
	}
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write the encryption keys: %w", err)
	}
	return nil
}
