package project

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func FuzzProject(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	more, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("project: payments\nroles: {developer: [payments-engineers]}\nrepositories:\n  - url: https://git.example.test/payments/api\nresources:\n  - app: ledger\n    url: http://ledger.example.test:8080/base\n")
	name := regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(Input{Tenant: "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01", Revision: Revision{Number: 1, Projects: map[string]string{"p.yaml": text}}})
		if err != nil {
			return
		}
		for _, p := range r.Set.All() {
			for _, repo := range p.Repositories {
				if again, err := CanonicalRepository(repo.URL); err != nil || again != repo.URL {
					t.Fatalf("the repository %q is accepted", repo.URL)
				}
			}
			for _, app := range p.Apps {
				if !name.MatchString(app.Name) || app.URL.User != nil || app.URL.Host == "" || app.URL.RawQuery != "" || app.URL.Fragment != "" ||
					app.URL.Scheme != "http" && app.URL.Scheme != "https" {
					t.Fatalf("the app %q at %q is accepted", app.Name, app.URL)
				}
			}
		}
	})
}
