package devfile

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func seed(f *testing.F, pattern string, more ...string) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	for _, s := range more {
		f.Add(s)
	}
}

func FuzzGitpod(f *testing.F) {
	seed(f, "testdata/gitpod/*.yml", "a: &a [*a]\n", "<<: {<<: {tasks: []}}\n", "coreDump: {enabled: true, hardLimit: 1e300}\n")
	f.Fuzz(func(t *testing.T, text string) { holds(t, ".gitpod.yml", text) })
}

func FuzzDevcontainer(f *testing.F) {
	seed(f, "testdata/devcontainer/*.json", `{"features":{"./x":{}}}`, `{"mounts":["a=b,c"]}`, `{"a":"${`, `{"postCreateCommand":["${containerEnv:A}"]}`)
	f.Fuzz(func(t *testing.T, text string) { holds(t, ".devcontainer/devcontainer.json", text) })
}

// holds checks what everybody who uses a plan relies on.
func holds(t *testing.T, file, text string) {
	p, err := Parse(file, []byte(text), About{Checkout: "/workspace/app", ID: "id"})
	if err != nil {
		if err.Error() == "" {
			t.Fatal("refused without a word")
		}
		return
	}
	for _, s := range []string{p.Image.Dockerfile, p.Image.Context} {
		if path.IsAbs(s) || s != "" && s != path.Clean(s) || s == ".." || strings.HasPrefix(s, "../") {
			t.Fatalf("%q leads out of the repository", s)
		}
	}
	if p.Folder != "" && !strings.HasPrefix(path.Clean(p.Folder), "/workspace/") {
		t.Fatalf("%q is outside of /workspace", p.Folder)
	}
	for _, port := range p.Ports {
		if port.First < 1 || port.Last < port.First || port.Last > 65535 {
			t.Fatalf("%+v", port)
		}
	}
	for _, v := range p.Volumes {
		if !path.IsAbs(v.Target) || reserved(v.Target) || v.Name == "" || len(v.Name) > 63 {
			t.Fatalf("%+v", v)
		}
	}
	for _, f := range p.Features {
		if strings.Contains(f.Ref, "..") && strings.HasPrefix(f.Ref, "./..") || f.Ref == "" {
			t.Fatalf("%+v", f)
		}
	}
	for name := range p.Env {
		if strings.ContainsAny(name, "=\x00") {
			t.Fatalf("%q", name)
		}
	}
	if _, err := p.On(text, About{Checkout: "/workspace/app"}); err != nil && err.Error() == "" {
		t.Fatal("refused without a word")
	}
}
