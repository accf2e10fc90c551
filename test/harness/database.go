package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// Database is the environment variable that chooses what the sample worlds of tests keep their rows in: "postgresql",
// or SQLite when it is empty. Everything is tested on both.
const Database = "LANYARD_TEST_DATABASE"

// databaseFile holds the URL, in the data folder.
const databaseFile = "database-url"

// OnPostgreSQL reports whether sample worlds keep their rows in PostgreSQL.
func OnPostgreSQL() bool { return os.Getenv(Database) == "postgresql" }

// NeedSQLite skips a test that looks into the database's file where there is none.
func NeedSQLite(t testing.TB) {
	t.Helper()
	if OnPostgreSQL() {
		t.Skipf("this test is about the SQLite file, and %s=postgresql", Database)
	}
}

// chooseDatabase gives the world a PostgreSQL database of its own where the environment asks for it.
func (w *World) chooseDatabase() {
	w.T.Helper()
	if !OnPostgreSQL() {
		return
	}
	file := filepath.Join(w.Data, databaseFile)
	if err := os.WriteFile(file, []byte(storetest.PostgreSQL(w.T)), 0o600); err != nil {
		w.T.Fatal(err)
	}
	w.database = []string{"--database-file", file}
}

// DatabaseURL is the PostgreSQL database of the sample world on a data folder.
func DatabaseURL(t testing.TB, data string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// DatabaseLine is what a server's configuration says of the sample world's database; empty for SQLite.
func (w *World) DatabaseLine() string {
	if !OnPostgreSQL() {
		return ""
	}
	return "database_file: " + filepath.Join(w.Data, databaseFile)
}

// DatabaseFlags name the sample world's database to a command that reads it without the server.
func (w *World) DatabaseFlags() []string {
	if !OnPostgreSQL() {
		return []string{"--data", w.Data}
	}
	return []string{"--database", DatabaseURL(w.T, w.Data)}
}
