package badinput

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

// TestCheck lets `lanyard check` read a configuration, a project and a policy with a fault each: all are reported
// together, with their places.
func TestCheck(t *testing.T) {
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lanyard.yaml": "url: http://lanyard.localhost:8080\nlisten: 127.0.0.1:8080\ndata: " + dir + "/data\nencryption_key_file: " + dir + "/key\n" +
			"entra:\n  tenant: 8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01\n  client_id: 474233c8-e2bb-4d1b-bb70-e02df84a14de\n  credential: {secret_file: " + dir + "/secret}\n" +
			"domains: {workspaces: localhost}\nprojects: " + dir + "/projects\npolicies: " + dir + "/policies\nruntimes: {sandbox: {trusted_users_only: true}}\n",
		"key": "", "secret": "x",
		"projects/a.yaml":    "project: a\nroles:\n  owner: [x]\n",
		"policies/b.cedar":   "permit (principal, action, resource) when { 1 };\n",
		"wrong/lanyard.yaml": "url: http://lanyard.localhost:8080\nlisten: 127.0.0.1:8080\nlissten: x\nentra: {client_secret: hunter2}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(config string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "lanyard"), "check", "--config", filepath.Join(dir, config))
		out, err := cmd.CombinedOutput()
		t.Logf("%s\n%s", config, out)
		if err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("check of %s: %v", config, err)
		}
		return string(out)
	}
	hasWords(t, "check", check("lanyard.yaml"), "a.yaml:3:3: ", "owner", "b.cedar:1:")
	out := check("wrong/lanyard.yaml")
	hasWords(t, "check", out, "lanyard.yaml:3:1: ", "lissten", "client_secret")
	if strings.Contains(out, "hunter2") {
		t.Error("check repeats a secret")
	}
}
