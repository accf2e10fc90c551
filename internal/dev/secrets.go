package dev

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/token"
)

// legacyUser is the user name at the Git server of the old kind.
const legacyUser = "lanyard"

// secrets are made at the first start and kept outside the server's data, readable by their owner alone.
type secrets struct {
	Encryption []byte // of what the server keeps at rest
	Client     string // of the app "Lanyard" at the tenant
	Legacy     string // password of the Git server of the old kind
	LegacyFile string // the file with user and password that the project file names
	Reports    string // of the sample service "reports", which asks about the tokens that it gets
}

func openSecrets(folder string) (s secrets, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return s, fmt.Errorf("make the folder of secrets: %w", err)
	}
	if s.Encryption, err = kept(filepath.Join(folder, "encryption.key"), token.NewSealingKey); err != nil {
		return s, err
	}
	client, err := kept(filepath.Join(folder, "client-secret"), newPassword)
	if err != nil {
		return s, err
	}
	s.Client = string(client)
	reports, err := kept(filepath.Join(folder, "reports-client"), newPassword)
	if err != nil {
		return s, err
	}
	s.Reports = string(reports)
	s.LegacyFile = filepath.Join(folder, "legacy-git")
	basic, err := kept(s.LegacyFile, func() []byte { return append([]byte(legacyUser+":"), newPassword()...) })
	if err != nil {
		return s, err
	}
	_, password, ok := bytes.Cut(bytes.TrimSpace(basic), []byte(":"))
	if !ok {
		return s, fmt.Errorf("%s does not hold user:password", s.LegacyFile)
	}
	s.Legacy = string(password)
	return s, nil
}

// kept reads a secret, or makes it where there is none.
func kept(path string, fresh func() []byte) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		return b, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read a secret: %w", err)
	}
	b = fresh()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("keep a secret: %w", err)
	}
	return b, nil
}

func newPassword() []byte {
	var b [24]byte
	rand.Read(b[:])
	return []byte(base64.RawURLEncoding.EncodeToString(b[:]))
}
