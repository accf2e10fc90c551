package store

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestMigrationsOnlyExpand refuses statements in a migration that take something away from the release before it. An index
// is none: without it that release is slower and as correct.
func TestMigrationsOnlyExpand(t *testing.T) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	takes := regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE|ALTER\s+COLUMN)\b`)
	harmless := regexp.MustCompile(`(?m)--.*$|^DROP INDEX \w+;$`)
	for _, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := takes.FindString(harmless.ReplaceAllString(string(text), "")); found != "" {
			t.Errorf("%s says %s", name, found)
		}
		if strings.Contains(string(text), "+goose Down") {
			t.Errorf("%s can be undone, which would lose what was written since", name)
		}
	}
	if v, err := targetVersion(); err != nil || v < 1 {
		t.Errorf("target version %d, %v", v, err)
	}
}
