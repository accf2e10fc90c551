package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistries(t *testing.T) {
	least, err := os.ReadFile(filepath.Join("testdata", "least.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parse := func(registries string) (*Config, error) {
		return Parse("lanyard.yaml", "/etc/lanyard", strings.TrimSpace(string(least))+"\nregistries:\n"+registries)
	}
	c, err := parse("  - {host: registry.example.com, basic_file: registry-secret, also: [tokens.example.com], projects: [payments]}\n" +
		"  - {host: \"10.0.0.7:5000\", plain_http: true}\n  - {host: docker.io}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Registry{
		{Host: "registry.example.com", BasicFile: "/etc/lanyard/registry-secret", Also: []string{"tokens.example.com"}, Projects: []string{"payments"}},
		{Host: "10.0.0.7:5000", PlainHTTP: true},
		{Host: "index.docker.io"},
	}
	if diff := cmp.Diff(want, c.Registries); diff != "" {
		t.Error(diff)
	}
	if listed := c.LongLived(); !strings.Contains(listed.Error(), "basic_file /etc/lanyard/registry-secret") {
		t.Errorf("long-lived: %v", listed)
	}
	for wrong, why := range map[string]string{
		"  - {basic_file: x}\n":                                               "`host` is missing",
		"  - {host: \"https://registry.example.com\"}\n":                      "named by its host",
		"  - {host: registry.example.com/team}\n":                             "named by its host",
		"  - {host: registry.example.com, password: x}\n":                     "would write a secret in place",
		"  - {host: registry.example.com, plain_http: true, basic_file: x}\n": "not sent without TLS",
		"  - {host: a.example.com}\n  - {host: A.example.com}\n":              "there twice",
		"  - {host: a.example.com, also: [\"tokens.example.com/path\"]}\n":    "named by its host",
	} {
		if _, err := parse(wrong); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
