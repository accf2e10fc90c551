// Package storetest defines what a store is, by tests that every database must pass, and provides databases for tests.
package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"testing"

	"github.com/lanyardhq/lanyard/internal/store"
)

// Database is a database of its own for one test.
type Database struct {
	Config store.Config
}

// OnPostgreSQL returns a new database on the test binary's PostgreSQL server.
func OnPostgreSQL(t testing.TB) Database {
	return Database{store.Config{PostgreSQL: PostgreSQL(t)}}
}

// Open opens the database as one more process would, named origin, until the test ends.
func (d Database) Open(t testing.TB, origin string) *store.Store {
	c := d.Config
	c.Origin = origin
	return Open(t, c)
}

// Raw opens the database past the store: for looking, and for tampering.
func (d Database) Raw(t testing.TB) *sql.DB {
	t.Helper()
	driver, name := "pgx", d.Config.PostgreSQL
	if d.Config.SQLite != "" {
		driver, name = "sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: d.Config.SQLite, RawQuery: "_pragma=busy_timeout(10000)"}).String()
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Open opens a store and closes it with the test.
func Open(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Run is the conformance suite: each test gets a database of its own from fresh.
func Run(t *testing.T, fresh func(testing.TB) Database) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Database)
	}{
		{"SecondWriterWaits", secondWriterWaits},
		{"ReaderInBetween", readerInBetween},
		{"DirectoryDoesNotHoldUpOthers", directoryDoesNotHoldUpOthers},
		{"FailedChangeLeavesNothing", failedChangeLeavesNothing},
		{"Feed", feedPages},
		{"DirectoryRoundTrip", directoryRoundTrip},
		{"DirectoryLarge", directoryLarge},
		{"DirectorySwap", directorySwap},
		{"DirectoryParts", directoryParts},
		{"DirectoryGrows", directoryGrows},
		{"MembersAdopted", membersAdopted},
		{"DirectoryRandom", directoryRandom},
		{"Sessions", sessionsRoundTrip},
		{"RefreshTokens", refreshTokens},
		{"RevokedTokens", revokedTokens},
		{"Connections", connectionsRoundTrip},
		{"Review", reviewRoundTrip},
		{"SCIM", scimRoundTrip},
		{"SCIMCredentials", scimCredentialsRoundTrip},
		{"Grants", grantsRoundTrip},
		{"Siblings", siblingsRoundTrip},
		{"Warm", warmRoundTrip},
		{"Settings", settingsRoundTrip},
		{"RegistryLogins", registryLoginsRoundTrip},
		{"Snapshots", snapshotsRoundTrip},
		{"Prebuilds", prebuildsRoundTrip},
		{"OneDecides", oneDecides},
		{"RestoredGrantsEnd", restoredGrantsEnd},
		{"EndedStaysEnded", endedStaysEnded},
		{"Once", onceOnly},
		{"OnceByTwo", onceByTwo},
		{"Projects", projectsRoundTrip},
		{"ProjectsOfGroups", groupProjectsRoundTrip},
		{"Workspaces", workspacesRoundTrip},
		{"Keys", keysRoundTrip},
		{"Term", termIsChecked},
		{"Pruning", pruning},
		{"Replicas", replicasAreListed},
		{"DirectoryFollowed", directoryFollowed},
		{"DirectoryPages", directoryPages},
		{"Backup", backedUp},
		{"AuditRows", auditRows},
		{"AuditOrder", auditOrder},
		{"AuditIndex", auditIndex},
		{"AuditAdopted", auditAdopted},
		{"LaterRelease", laterRelease},
		{"ReadOnly", readOnly},
		{"OpenTogether", openTogether},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}
