package inside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInitAndValidate(t *testing.T) {
	p := newPlace(t, nil)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "sub"))
	if status, _, errs := p.run("gp", "validate"); status != 3 || !strings.Contains(errs, "`lanyard init`") {
		t.Errorf("%d %s", status, errs)
	}
	if status, out, errs := p.run("gp", "init"); status != 0 || !strings.Contains(out, filepath.Join(dir, ".gitpod.yml")) {
		t.Fatalf("%d %s%s", status, out, errs)
	}
	if status, out, errs := p.run("lanyard", "validate"); status != 0 || !strings.Contains(out, ".gitpod.yml is good") {
		t.Errorf("%d %s%s", status, out, errs)
	}
	if status, _, errs := p.run("lanyard", "init"); status != 1 || !strings.Contains(errs, "has .gitpod.yml already") {
		t.Errorf("%d %s", status, errs)
	}
	wrong := "tasks:\n  - init: npm ci\n    comand: npm start\n"
	if err := os.WriteFile(filepath.Join(dir, ".gitpod.yml"), []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := p.run("gp", "validate"); status != 0 || !strings.Contains(out, ".gitpod.yml:3:5: note: tasks.comand") {
		t.Errorf("%d %s", status, out)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitpod.yml"), []byte("ports:\n  - port: none\ntaks: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := p.run("gp", "validate"); status != 1 || !strings.Contains(out, ".gitpod.yml:2:11: ") || !strings.Contains(out, ".gitpod.yml:3:1: note: taks: is not known") {
		t.Errorf("%d %s", status, out)
	}
	other := filepath.Join(dir, "devcontainer.json")
	if err := os.WriteFile(other, []byte(`{"image": "debian:12", "runArgs": ["--privileged"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := p.run("gp", "validate", other, "--json"); status != 1 || !strings.Contains(out, "runArgs") {
		t.Errorf("%d %s", status, out)
	}
}
