package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/credential"
)

func withCredential(t *testing.T, dir, text string) *Config {
	t.Helper()
	c, err := Parse("lanyard.yaml", dir, `url: https://lanyard.example.test
data: data
encryption_key_file: key
entra:
  tenant: 11111111-1111-1111-1111-111111111111
  client_id: 22222222-2222-2222-2222-222222222222
  credential: `+text+`
runtimes: {sandbox: {trusted_users_only: true}}
domains: {apps: apps.contoso.example, workspaces: workspaces.invalid}
`)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentials(t *testing.T) {
	for text, want := range map[string][]credential.Files{
		"{secret_file: s}":                               {{Secret: "/etc/lanyard/s"}},
		"{federated_token_file: /var/run/t}":             {{FederatedToken: "/var/run/t"}},
		"{certificate_file: app.pem, key_file: app.pem}": {{Certificate: "/etc/lanyard/app.pem", Key: "/etc/lanyard/app.pem"}},
		"[{secret_file: s}, {federated_token_file: t}]":  {{Secret: "/etc/lanyard/s"}, {FederatedToken: "/etc/lanyard/t"}},
	} {
		c := withCredential(t, "/etc/lanyard", text)
		if diff := cmp.Diff(want, c.Entra.Credentials); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		long := 0
		for _, f := range want {
			if f.FederatedToken == "" {
				long++
			}
		}
		if got := c.LongLived(); len(got) != long {
			t.Errorf("%s: long-lived: %v", text, got)
		}
	}
}

// TestCertificateExpiry: a certificate is listed with its end, and is a finding when that is near.
func TestCertificateExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		life  time.Duration
		says  string
		found string
	}{
		"long":    {100*24*time.Hour + time.Hour, "(100 days)", ""},
		"soon":    {3*24*time.Hour + time.Hour, "(3 days)", "expires at"},
		"expired": {-time.Hour, "expired since", "expired at"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(c.life)}
			der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
			if err != nil {
				t.Fatal(err)
			}
			both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
				pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...)
			if err := os.WriteFile(filepath.Join(dir, "app.pem"), both, 0o600); err != nil {
				t.Fatal(err)
			}
			config := withCredential(t, dir, "{certificate_file: app.pem, key_file: app.pem}")
			if got := config.LongLived(); len(got) != 1 || got[0].Line != 7 || !strings.Contains(got[0].Message, c.says) {
				t.Errorf("long-lived: %v", got)
			}
			var found []string
			config.checkCredentials(func(err error) {
				if err != nil {
					found = append(found, err.Error())
				}
			}, time.Now())
			if said := fmt.Sprint(found); (len(found) > 0) != (c.found != "") || !strings.Contains(said, c.found) {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestNotifications(t *testing.T) {
	for _, to := range []string{"none", "https://hooks.example.test/graph"} {
		if c := withCredential(t, "/etc/lanyard", "{secret_file: s}\n  notifications: "+to); c.Entra.Notifications != to {
			t.Errorf("%s is read as %q", to, c.Entra.Notifications)
		}
	}
}
