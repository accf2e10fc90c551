package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/lanyardhq/lanyard/internal/store"
)

// binaries is where Debian keeps PostgreSQL; LANYARD_POSTGRES_BIN names another folder.
const binaries = "/usr/lib/postgresql/*/bin"

// RequirePostgreSQL is the environment variable that turns "PostgreSQL is not installed" from a skip into a failure.
const RequirePostgreSQL = "LANYARD_REQUIRE_POSTGRES"

// PostgreSQL returns the URL of an empty database of this release's schema, on a server that is started once per test
// binary and ends with it. Where PostgreSQL is not installed the test is skipped, saying so, or fails when
// RequirePostgreSQL is "1". Benchmarks get a server that writes to disk as a real one does.
func PostgreSQL(t testing.TB) string {
	t.Helper()
	_, durable := t.(*testing.B)
	s := &servers[0]
	if durable {
		s = &servers[1]
	}
	s.once.Do(func() { s.err = s.start(durable) })
	if s.err != nil {
		if os.Getenv(RequirePostgreSQL) == "1" || !s.absent {
			t.Fatalf("PostgreSQL for tests: %v", s.err)
		}
		t.Skipf("SKIP postgresql: %v (set %s=1 to make this a failure)", s.err, RequirePostgreSQL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	name := fmt.Sprintf("test_%d", s.made)
	if err := s.execute("CREATE DATABASE " + name + " TEMPLATE empty"); err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	t.Cleanup(func() {
		if err := s.execute("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("PostgreSQL for tests: %v", err)
		}
	})
	return s.url(name)
}

// servers hold the two servers of this test binary: a fast one, and one that writes to disk.
var servers [2]server

type server struct {
	once   sync.Once
	err    error
	absent bool // it is not installed
	dir    string
	leash  *os.File // the watchdog's standard input: closed by the kernel when this process ends, however it ends
	mu     sync.Mutex
	made   int
}

func (s *server) url(database string) string {
	q := url.Values{"host": {s.dir}, "user": {"lanyard"}, "sslmode": {"disable"}}
	return "postgres:///" + database + "?" + q.Encode()
}

func (s *server) execute(statement string) error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// watchdog runs PostgreSQL until its standard input ends, and removes the folder then.
const watchdog = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 $3 &
server=$!
read ignored
kill -QUIT $server
wait $server
rm -rf "$2"
`

// start makes a cluster in a folder of its own and a server that only listens on a Unix socket there.
func (s *server) start(durable bool) error {
	bin, err := findBinaries()
	if err != nil {
		s.absent = true
		return err
	}
	if s.dir, err = os.MkdirTemp("", "lanyard-pg-"); err != nil {
		return err
	}
	as, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "lanyard", "-A", "trust",
		"-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = s.dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	options := "-F -c full_page_writes=off"
	if durable {
		options = ""
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	held, leash, err := os.Pipe()
	if err != nil {
		return err
	}
	defer held.Close()
	s.leash = leash
	guard := exec.Command("/bin/sh", "-c", watchdog, "sh", bin, s.dir, options)
	guard.Dir, guard.Stdin, guard.Stdout, guard.Stderr = s.dir, held, log, log
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as.Credential} // Ctrl-C of the tests is not its own
	if err := guard.Start(); err != nil {
		return err
	}
	if err := s.await(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, text)
	}
	return s.makeTemplate()
}

func (s *server) await() error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = db.Ping(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *server) makeTemplate() error {
	if err := s.execute("CREATE DATABASE empty"); err != nil {
		return err
	}
	st, err := store.Open(context.Background(), store.Config{PostgreSQL: s.url("empty"), Origin: "template"})
	if err != nil {
		return err
	}
	return st.Close()
}

func findBinaries() (string, error) {
	pattern := binaries
	if dir := os.Getenv("LANYARD_POSTGRES_BIN"); dir != "" {
		pattern = dir
	}
	found, err := filepath.Glob(filepath.Join(pattern, "initdb"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed: no initdb in %s", pattern)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged gives dir to the user that PostgreSQL runs as: it refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(filepath.Clean(dir), os.TempDir()) {
		return nil, fmt.Errorf("%s is not below %s", dir, os.TempDir())
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, int(uid), int(gid))
}

// Durable returns a new database on a server that writes to disk as a real one does, and ends with this process: for
// programs that measure.
func Durable() (store.Config, error) {
	s := &servers[1]
	s.once.Do(func() { s.err = s.start(true) })
	if s.err != nil {
		return store.Config{}, s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	name := fmt.Sprintf("bench_%d", s.made)
	if err := s.execute("CREATE DATABASE " + name + " TEMPLATE empty"); err != nil {
		return store.Config{}, err
	}
	return store.Config{PostgreSQL: s.url(name)}, nil
}
