package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

// parsed reads a whole configuration with more keys.
func parsed(t *testing.T, more string) (*Config, error) {
	t.Helper()
	least, err := os.ReadFile("testdata/least.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return Parse("testdata/least.yaml", "testdata", string(least)+"\n"+more)
}

func TestClassesAndRules(t *testing.T) {
	c, err := parsed(t, `
classes:
  small: {title: "for a change of text", cpu: 0.5, memory: 512MiB, processes: 200}
  standard: {cpu: 2, memory: 4GiB, disk: 20GiB, processes: 2000, default: true}
limits: {running: 20, memory: 24GiB, running_per_user: 4, running_per_project: 15, workspaces_per_user: 10, disk_reserve: 2GiB}
workspaces: {max_life: 36h, max_timeout: 8h, warn_before: 10m, archive_after: 336h, delete_after: 720h, delete_unsaved_after: 2160h}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Classes) != 2 || c.Classes[0].Name != "standard" || c.Classes[0].Disk != 20<<30 || c.Classes[1].CPUs != 0.5 || c.Classes[1].Memory != 512<<20 {
		t.Errorf("classes: %+v", c.Classes)
	}
	r := c.Rules
	if r.Running != 20 || r.Memory != 24<<30 || r.RunningPerUser != 4 || r.RunningPerProject != 15 || r.PerUser != 10 || r.Reserve != 2<<30 ||
		r.MaxLife != 36*time.Hour || r.DeleteUnsavedAfter != 2160*time.Hour {
		t.Errorf("rules: %+v", r)
	}
	if c, err = parsed(t, ""); err != nil || len(c.Classes) != 0 || c.Rules.Running != 0 {
		t.Errorf("nothing said: %+v %v", c, err)
	}
}

func TestClassesThatCannotBe(t *testing.T) {
	for text, says := range map[string]string{
		"classes: {}":                                                "names no class",
		"classes: {Big: {cpu: 1}}":                                   "cannot be a class's name",
		"classes: {a: {cpu: 0}}":                                     "between 0.1",
		"classes: {a: {memory: 4}}":                                  "where a text is wanted",
		"classes: {a: {memory: \"4\"}}":                              "is not a size",
		"classes: {a: {memory: 1MiB}}":                               "at least 64MiB",
		"classes: {a: {memory: -1GiB}}":                              "is not a size",
		"classes: {a: {processes: 3.5}}":                             "whole number",
		"classes: {a: {gpu: 1}}":                                     "unknown key `gpu`",
		"classes: {a: {default: true}, b: {default: true}}":          "two classes are the default",
		"limits: {running: -1}":                                      "whole number",
		"workspaces: {archive_after: 48h, delete_after: 24h}":        "longer than delete_after",
		"workspaces: {delete_unsaved_after: 24h}":                    "takes a delete_after",
		"workspaces: {delete_unsaved_after: 24h, delete_after: 48h}": "takes a delete_after",
		"workspaces: {max_lives: 24h}":                               "did you mean `max_life`",
	} {
		if _, err := parsed(t, text+"\n"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
