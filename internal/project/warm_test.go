package project

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/source"
)

// parseWarm reads a project with these lines below its workspace, of which the first is the file's fifth.
func parseWarm(lines ...string) (Result, error) {
	text := "project: a\nroles: {}\nrepositories: []\nworkspace:\n"
	for _, l := range lines {
		text += "  " + l + "\n"
	}
	return Parse(Input{Revision: Revision{Projects: map[string]string{"a.yaml": text}}})
}

func TestWarm(t *testing.T) {
	for text, want := range map[string][]Warm{
		"warm: []":           nil,
		"warm: [{count: 1}]": {{Count: 1}},
		"warm: [{class: large, count: 20}, {class: small, count: 20}, {image: base, count: 10}]": {
			{Class: "large", Count: 20}, {Class: "small", Count: 20}, {Image: "base", Count: 10},
		},
		"{classes: [small, large], class: small, images: [registry.example.test/*], warm: [{count: 2}, {class: large, image: registry.example.test/tools:1, count: 2}]}": {
			{Count: 2}, {Class: "large", Image: "registry.example.test/tools:1", Count: 2},
		},
	} {
		if strings.HasPrefix(text, "{") {
			text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
			text = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, ", class:", "\n  class:"), ", images:", "\n  images:"), ", warm:", "\n  warm:")
		}
		r, err := parseWarm(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		p, _ := r.Set.ByName("a")
		if diff := cmp.Diff(want, p.Workspace.Warm); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// Every wrong form is told with its place and with what to write instead.
func TestWrongWarm(t *testing.T) {
	for text, want := range map[string]string{
		"warm: 3":                                              `a.yaml:5:9: is a number where a list is wanted`,
		"warm: {count: 1}":                                     "a.yaml:5:9: is a mapping where a list is wanted",
		"warm: [2]":                                            `a.yaml:5:10: is a number where a mapping (key: value) is wanted`,
		"warm: [{}]":                                           "a.yaml:5:10: `count` is missing: how many workspaces are kept ready, 1 to 20",
		"warm: [{class: small}]":                               "a.yaml:5:10: `count` is missing: how many workspaces are kept ready, 1 to 20",
		"warm: [{count: many}]":                                `a.yaml:5:18: is a text where a number is wanted`,
		"warm: [{count: '2'}]":                                 `a.yaml:5:18: is a text where a number is wanted`,
		"warm: [{count: 0}]":                                   "a.yaml:5:18: write a whole number from 1 to 20; where none are wanted leave the entry out",
		"warm: [{count: -1}]":                                  "a.yaml:5:18: write a whole number from 1 to 20; where none are wanted leave the entry out",
		"warm: [{count: 21}]":                                  "a.yaml:5:18: write a whole number from 1 to 20; where none are wanted leave the entry out",
		"warm: [{count: 1.5}]":                                 "a.yaml:5:18: write a whole number from 1 to 20; where none are wanted leave the entry out",
		"warm: [{count: 1e300}]":                               "a.yaml:5:18: write a whole number from 1 to 20; where none are wanted leave the entry out",
		"warm: [{count: 1, clas: x}]":                          "a.yaml:5:21: unknown key `clas`; did you mean `class`?",
		"warm: [{count: 1, egress: x}]":                        "a.yaml:5:21: unknown key `egress`; known here: class, count, image",
		"warm: [{count: 1, count: 2}]":                         "a.yaml:5:21: ",
		"warm: [{count: 1, class: 7}]":                         `a.yaml:5:28: is a number where a text is wanted; put it in quotes`,
		"warm: [{count: 1, class: Big}]":                       "a.yaml:5:28: \"Big\" cannot be a class's name; they are the keys of `classes` in lanyard.yaml",
		"warm: [{count: 1, image: 'a b'}]":                     `a.yaml:5:28: "a b" is no name of an image, such as registry.example.com/team/tools:1.4`,
		"classes: [small]\n  warm: [{count: 1, class: large}]": "a.yaml:6:28: the class large is not among the project's `classes`; add it there, or name one of those",
		"images: [registry.example.test/*]\n  warm: [{count: 1, image: other.example.test/a}]": "a.yaml:6:28: repositories may not run the image other.example.test/a; they may run registry.example.test/*; add it to `images`, or leave it out here",
		"warm: [{count: 1}, {count: 2}]":                                                                    "a.yaml:5:22: the same class and image stand here twice; write one entry with the sum as its `count`",
		"class: small\n  warm: [{count: 1}, {class: small, count: 2}]":                                      "a.yaml:6:22: the same class and image stand here twice; write one entry with the sum as its `count`",
		"image: base\n  warm: [{count: 1}, {image: base, count: 2}]":                                        "a.yaml:6:22: the same class and image stand here twice; write one entry with the sum as its `count`",
		"warm: [{class: a, count: 20}, {class: b, count: 20}, {class: c, count: 20}, {class: d, count: 1}]": "a.yaml:5:56: a project has at most 50 workspaces made ahead of all classes and images together, and these are more; lower a `count`",
	} {
		_, err := parseWarm(text)
		var all source.Findings
		switch {
		case err == nil:
			t.Errorf("%s: it is taken", text)
		case !errors.As(err, &all):
			t.Errorf("%s: %v", text, err)
		case len(all) != 1 || !strings.HasPrefix(all[0].String(), want):
			t.Errorf("%s:\n%v, not\n%s", text, all, want)
		}
	}
}
