package project

import (
	"strings"
	"testing"
)

func TestImages(t *testing.T) {
	read := func(line string) (Template, error) {
		r, err := Parse(Input{Revision: Revision{Projects: map[string]string{"a.yaml": "project: a\nroles: {}\nrepositories:\n  - url: https://git.example.test/a/a\nworkspace: " + line + "\n"}}})
		if err != nil {
			return Template{}, err
		}
		p, _ := r.Set.ByName("a")
		return p.Workspace, nil
	}
	w, err := read(`{image: "registry.example.test/base:1", images: [registry.example.test/team/*, "docker.example.test/node", "docker.example.test/go:1.26"]}`)
	if err != nil || w.Image != "registry.example.test/base:1" {
		t.Fatal(w, err)
	}
	for ref, allowed := range map[string]bool{
		"registry.example.test/base:1": true, "registry.example.test/base:2": false, "registry.example.test/team/tools:3": true, "registry.example.test/team/a/b": true,
		"registry.example.test/teams/tools": false, "docker.example.test/node": true, "docker.example.test/node:22": true,
		"docker.example.test/node@sha256:" + strings.Repeat("a", 64): true, "docker.example.test/nodes": false, "docker.example.test/node:5000/x": false,
		"docker.example.test/go:1.26": true, "docker.example.test/go:1.25": false, "docker.example.test/go": false, "other.example.test/x": false,
	} {
		if err := w.AllowsImage(ref); (err == nil) != allowed {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if w, err := read("{timeout: 1h}"); err != nil || w.AllowsImage("anything.example.test/x") != nil {
		t.Error(w, err)
	}
	for line, why := range map[string]string{"{image: -x}": "no name of an image", "{images: ['*']}": "neither", "{images: [a/*/b]}": "neither", "{images: x}": "list"} {
		if _, err := read(line); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
