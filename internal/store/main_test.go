package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// The test binary runs itself as the process that is killed: these name the database it is to write to.
const (
	childSQLite     = "LANYARD_TEST_CHILD_SQLITE"
	childPostgreSQL = "LANYARD_TEST_CHILD_POSTGRESQL"
)

func TestMain(m *testing.M) {
	if c := (store.Config{SQLite: os.Getenv(childSQLite), PostgreSQL: os.Getenv(childPostgreSQL), Origin: "child"}); c.SQLite+c.PostgreSQL != "" {
		standInTransaction(c)
	}
	os.Exit(m.Run())
}

// standInTransaction writes a directory and stops before the commit, for ever.
func standInTransaction(c store.Config) {
	s, err := store.Open(context.Background(), c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, err = s.SaveDirectory(context.Background(), change(), feed.Entry{Topic: feed.Directory}, audit.Event{Detail: map[string]any{"stop": stop{}}})
	fmt.Fprintln(os.Stderr, "not stopped:", err)
	os.Exit(1)
}

// stop says on standard output that it is reached.
type stop struct{}

func (stop) MarshalJSON() ([]byte, error) {
	fmt.Println("in the transaction")
	time.Sleep(time.Hour)
	return nil, nil
}

func change() directory.Change {
	return directory.Change{Users: []directory.User{{ID: identity.UserID{Tenant: "t", Object: "ada"}}}, Cursors: map[string]string{"users": "1"}}
}

func TestKilledInTransactionSQLite(t *testing.T) { killedInTransaction(t, storetest.SQLite(t)) }

func TestKilledInTransactionPostgreSQL(t *testing.T) {
	killedInTransaction(t, storetest.OnPostgreSQL(t))
}

// killedInTransaction kills a writer that has written everything and not committed: nothing of it is there, and
// nothing holds the next writer up.
func killedInTransaction(t *testing.T, db storetest.Database) {
	s := db.Open(t, "one")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childSQLite+"="+db.Config.SQLite, childPostgreSQL+"="+db.Config.PostgreSQL)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_, err = out.Read(make([]byte, 100)) // it speaks when it is there
	if killed := child.Process.Kill(); killed != nil || err != nil {
		t.Fatal(killed, err)
	}
	_ = child.Wait() // it says "killed"
	if pending, err := s.Leaves(t.Context(), -1, 9); err != nil || len(pending) != 0 {
		t.Errorf("events: %v, %v", pending, err)
	}
	if got, cursors, _, seq, err := s.LoadDirectory(t.Context()); err != nil || len(got.Users) != 0 || len(cursors) != 0 || seq != 0 {
		t.Errorf("directory: %+v, %v, number %d, %v", got, cursors, seq, err)
	}
	if seq, err := s.SaveDirectory(t.Context(), change(), feed.Entry{Topic: feed.Directory}); seq != 1 || err != nil {
		t.Errorf("the next change: number %d, %v", seq, err)
	}
}
