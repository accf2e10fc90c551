package lanyard

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/security.md says which test stands against which attack. Each of them is there, and each that is there is said.
func TestSecurityNamesItsTests(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	row := regexp.MustCompile(`^\| (\d+) \|`)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	for line := range strings.Lines(string(text)) {
		number := row.FindStringSubmatch(line)
		for _, n := range name.FindAllStringSubmatch(line, -1) {
			said[n[1]] = true
			if attack, ok := strings.CutPrefix(n[1], "TestAttack"); ok && number != nil && strings.TrimLeft(attack[:2], "0") != number[1] {
				t.Errorf("%s stands in row %s", n[1], number[1])
			}
		}
	}
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
				return fs.SkipDir
			}
			return err
		}
		source, err := os.ReadFile(path)
		for _, f := range function.FindAllStringSubmatch(string(source), -1) {
			there[f[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for test := range said {
		if !there[test] {
			t.Errorf("%s stands in docs/security.md and nowhere else", test)
		}
	}
	numbers := map[string]bool{}
	for test := range said {
		if attack, ok := strings.CutPrefix(test, "TestAttack"); ok {
			numbers[attack[:2]] = true
		}
	}
	for test := range there {
		if attack, ok := strings.CutPrefix(test, "TestAttack"); ok && !numbers[attack[:2]] {
			t.Errorf("docs/security.md has no row for %s", test)
		}
	}
}
