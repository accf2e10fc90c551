package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProjectsOfGroups(t *testing.T) {
	base, err := os.ReadFile("testdata/least.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := func(more string) (*Config, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "lanyard.yaml")
		if err := os.WriteFile(file, append(base, "\n"+more...), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Read(file)
		return c, err
	}
	c, err := read("projects: {folder: here, from_groups: 'ws-{project}-{role}', template: t.yaml, keep: 48h}\n")
	if err != nil || c.FromGroups == nil || c.FromGroups.Keep != 48*time.Hour || filepath.Base(c.FromGroups.Template) != "t.yaml" || filepath.Base(c.Projects) != "here" {
		t.Fatalf("%+v, %v", c, err)
	}
	if c, err = read("projects: {from_groups: '{role}s of {project}'}\n"); err != nil || c.FromGroups.Keep != defaultKeep || c.Projects != "" || c.FromGroups.Pattern.String() != "{role}s of {project}" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = read("projects: there\n"); err != nil || c.FromGroups != nil || filepath.Base(c.Projects) != "there" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"projects: {}\n":                                                                  "name a folder, from_groups or both",
		"projects: {folder: x, keep: 1h}\n":                                               "write from_groups beside it",
		"projects: {from_groups: '{project}'}\n":                                          "once each",
		"projects: {from_groups: 'ws-{project}-{role}', other: 1}\n":                      "unknown key",
		"directory: {members: sign-in}\nprojects: {from_groups: 'ws-{project}-{role}'}\n": "name no groups",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
