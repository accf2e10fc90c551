package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseWithClients(t *testing.T, clients string) (*Config, error) {
	t.Helper()
	least, err := os.ReadFile(filepath.Join("testdata", "least.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return Parse("lanyard.yaml", "/etc/lanyard", strings.TrimSpace(string(least))+"\nclients:\n"+clients)
}

func TestClients(t *testing.T) {
	c, err := parseWithClients(t, "  - {client: portal, name: The portal, secret_file: portal-secret, redirect_uris: [\"https://portal.example.test/back\"], audiences: [planner], exchange: [ledger]}\n"+
		"  - {client: tv.app, redirect_uris: [\"http://127.0.0.1/callback\"], device: true, requests_per_minute: 0}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Client{
		{ID: "portal", Name: "The portal", SecretFile: "/etc/lanyard/portal-secret", RedirectURIs: []string{"https://portal.example.test/back"},
			Audiences: []string{"planner"}, Exchange: []string{"ledger"}, Requests: defaultClientRequests},
		{ID: "tv.app", Name: "tv.app", RedirectURIs: []string{"http://127.0.0.1/callback"}, Device: true},
	}
	if diff := cmp.Diff(want, c.Clients); diff != "" {
		t.Error(diff)
	}
	if listed := c.LongLived(); !strings.Contains(listed.Error(), "secret_file /etc/lanyard/portal-secret") {
		t.Errorf("long-lived: %v", listed)
	}
	for _, wrong := range []string{
		"  - {name: x, device: true}\n",
		"  - {client: lanyard-cli, device: true}\n",
		"  - {client: x, device: true}\n  - {client: x, device: true}\n",
		"  - {client: x y, device: true}\n",
		"  - {client: x}\n",
		"  - {client: x, device: true, secret: hunter2}\n",
		"  - {client: x, audiences: [ledger]}\n",
		"  - {client: x, device: true, exchange: [ledger]}\n",
		"  - {client: x, secret_file: s, audiences: [\"https://ledger.example.test\"]}\n",
		"  - {client: x, redirect_uris: [\"http://portal.example.test/back\"]}\n",
		"  - {client: x, redirect_uris: [\"https://*.example.test/back\"]}\n",
		"  - {client: x, redirect_uris: [\"https://portal.example.test/back#x\"]}\n",
		"  - {client: x, redirect_uris: [\"https://u:p@portal.example.test/back\"]}\n",
		"  - {client: x, redirect_uris: [\"javascript:alert(1)\"]}\n",
		"  - {client: x, redirect_uris: [/back]}\n",
		"  - {client: x, device: true, requests_per_minute: -1}\n",
	} {
		if _, err := parseWithClients(t, wrong); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// A short secret would be found by trying, since it is kept as a plain hash.
func TestClientSecretIsLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for secret, good := range map[string]bool{"hunter2": false, strings.Repeat("x", MinClientSecret): true} {
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Client{ID: "portal", SecretFile: path}.ReadSecret()
		if (err == nil) != good || good && got != secret || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %q %v", secret, got, err)
		}
	}
}
