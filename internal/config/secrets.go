package config

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// maxSecret bounds the files that hold secrets, in bytes.
const maxSecret = 64 << 10

// keySize is the length of the encryption key in bytes (AES-256).
const keySize = 32

func readAll(r io.Reader, limit int64) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit))
	return string(text), err
}

// ReadSecret reads a file that holds one secret. The end of its line is not part of it. No error holds the secret.
func ReadSecret(path string) (string, error) {
	text, err := readSecret(path)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(text, "\r\n") {
		return "", notASecret(path)
	}
	return text, nil
}

func notASecret(path string) error {
	return fmt.Errorf("%s: a secret is one line of at most %d bytes", path, maxSecret)
}

// readSecret is the text of a file without the end of its last line.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	defer file.Close()
	text, err := readAll(file, maxSecret+1)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	text = strings.TrimRight(text, "\r\n")
	if text == "" || len(text) > maxSecret || strings.ContainsRune(text, 0) {
		return "", notASecret(path)
	}
	return text, nil
}

func decodeKey(text string) ([]byte, bool) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if key, err := decode(text); err == nil && len(key) == keySize {
			return key, true
		}
	}
	return nil, false
}

// LongLived lists the credentials of the configuration that outlive a session, with how to be rid of each. Those of
// projects are listed by project.Set.
func (c *Config) LongLived() source.Findings {
	all := slices.Clone(c.longLived)
	for _, cert := range c.certificates {
		all = append(all, cert.longLived(time.Now()))
	}
	all.Sort()
	return all
}

// CheckFiles looks at the files that the configuration names: whether they are there, can be read, and by whom.
func (c *Config) CheckFiles() source.Findings {
	var out source.Findings
	report := func(err error) {
		if err != nil {
			out = append(out, source.Finding{File: c.File, Message: err.Error()})
		}
	}
	_, err := ReadEncryptionKeys(c.EncryptionKeyFile)
	report(err)
	if c.DatabaseFile != "" {
		_, err := ReadSecret(c.DatabaseFile)
		report(err)
	}
	private := append(c.checkCredentials(report, time.Now()), c.EncryptionKeyFile, c.DatabaseFile)
	for _, app := range c.GitHub {
		for _, path := range []string{app.SecretFile, app.KeyFile} {
			if path != "" {
				_, err := readSecret(path)
				report(err)
				private = append(private, path)
			}
		}
	}
	for _, client := range c.Clients {
		_, err := client.ReadSecret()
		report(err)
		private = append(private, client.SecretFile)
	}
	private = append(private, c.Audit.check(report)...)
	private = append(private, c.checkTLS(report, time.Now())...)
	for _, path := range private {
		if info, err := os.Stat(path); path != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
			report(fmt.Errorf("%s can be read by everybody on this machine (mode %04o); chmod o= %s", path, info.Mode().Perm(), path))
		}
	}
	if c.FromGroups != nil && c.FromGroups.Template != "" {
		if info, err := os.Stat(c.FromGroups.Template); err != nil {
			report(err)
		} else if !info.Mode().IsRegular() {
			report(fmt.Errorf("%s is not a file", c.FromGroups.Template))
		}
	}
	for _, path := range []string{c.Projects, c.Policies} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err != nil {
			report(err)
		} else if !info.IsDir() {
			report(fmt.Errorf("%s is not a folder", path))
		}
	}
	return out
}
