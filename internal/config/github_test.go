package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/connection"
)

func parseWithGitHub(t *testing.T, github string) (*Config, error) {
	t.Helper()
	least, err := os.ReadFile(filepath.Join("testdata", "least.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return Parse("lanyard.yaml", "/etc/lanyard", strings.TrimSpace(string(least))+"\ngithub:\n"+github)
}

func TestGitHubApps(t *testing.T) {
	c, err := parseWithGitHub(t, "  - {name: github, client_id: Iv23liExample, client_secret_file: github-secret}\n"+
		"  - {name: own, url: \"https://GitHub.contoso.example/\", client_id: Iv1.0, private_key_file: /run/key.pem}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []connection.App{
		{Name: "github", URL: "https://github.com", API: "https://api.github.com", ClientID: "Iv23liExample", SecretFile: "/etc/lanyard/github-secret"},
		{Name: "own", URL: "https://github.contoso.example", API: "https://github.contoso.example/api/v3", ClientID: "Iv1.0", KeyFile: "/run/key.pem"},
	}
	if diff := cmp.Diff(want, c.GitHub); diff != "" {
		t.Error(diff)
	}
	listed := ""
	for _, f := range c.LongLived() {
		listed += f.String() + "\n"
	}
	if !strings.Contains(listed, "client_secret_file /etc/lanyard/github-secret") || !strings.Contains(listed, "private_key_file /run/key.pem") {
		t.Errorf("long-lived: %s", listed)
	}
	for _, wrong := range []string{
		"  - {name: github, client_id: x}\n",
		"  - {name: github, client_secret_file: x}\n",
		"  - {name: Git Hub, client_id: x, client_secret_file: x}\n",
		"  - {name: github, client_id: x, client_secret: hunter2}\n",
		"  - {name: github, client_id: x, client_secret_file: x, url: \"http://github.contoso.example\"}\n",
		"  - {name: github, client_id: x, client_secret_file: x, api: \"https://u:p@github.contoso.example\"}\n",
		"  - {name: a, client_id: x, client_secret_file: x}\n  - {name: a, client_id: x, client_secret_file: x}\n",
	} {
		if _, err := parseWithGitHub(t, wrong); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
