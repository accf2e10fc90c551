package directory

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

const configuration = `url: http://lanyard.localhost:%d
listen: 127.0.0.1:%[1]d
data: %[2]s/data
encryption_key_file: %[2]s/keys/encryption.key
entra:
  tenant: %[3]s
  client_id: %[4]s
  credential: {secret_file: %[2]s/keys/client-secret}
  authority: %[5]s
  graph: %[5]s/v1.0
directory: {sweep: %[6]s}
audit: {checkpoints: %[2]s/checkpoints}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[2]s/projects
%[7]s
`

// served is a real `lanyard serve` that reads a tenant.
type served struct {
	t    *testing.T
	sim  *simulated
	db   store.Config
	dir  string
	port int
	log  *harness.Buffer
	cmd  *exec.Cmd
	gone chan struct{}
}

// newServed starts a server on a database of its own; sweep is as in the configuration.
func newServed(t *testing.T, sim *simulated, database, sweep string) *served {
	t.Helper()
	harness.Need(t, "bwrap")
	dir, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, sim: sim, dir: dir, port: harness.FreePort(t), log: &harness.Buffer{}, db: store.Config{SQLite: filepath.Join(dir, "data", "lanyard.db")}}
	files := map[string]string{"keys/client-secret": secret, "keys/encryption.key": base64.StdEncoding.EncodeToString(token.NewSealingKey()), "projects/shop.yaml": "project: shop\n"}
	more := ""
	if database == "postgresql" {
		s.db = store.Config{PostgreSQL: storetest.PostgreSQL(t)}
		files["keys/database"], more = s.db.PostgreSQL, "database_file: "+filepath.Join(dir, "keys/database")
	}
	files["lanyard.yaml"] = fmt.Sprintf(configuration, s.port, dir, entrasim.ContosoTenantID, entrasim.LanyardAppID, sim.url, sweep, more)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.end(syscall.SIGKILL)
		if t.Failed() {
			text := s.log.String()
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-6000):])
		}
	})
	s.run()
	return s
}

// run starts the server, or starts it again, and returns when it serves.
func (s *served) run() {
	s.t.Helper()
	bin, err := harness.Programs()
	if err != nil {
		s.t.Fatal(err)
	}
	before := strings.Count(s.log.String(), "Lanyard serves")
	s.cmd = exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", filepath.Join(s.dir, "lanyard.yaml"))
	s.cmd.Stderr = s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.gone = make(chan struct{})
	started := make(chan error, 1)
	go func(cmd *exec.Cmd, gone chan struct{}) {
		runtime.LockOSThread() // the kernel sends Pdeathsig when the thread ends, not the process
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended shows in its log
		}
		close(gone)
	}(s.cmd, s.gone)
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "serve is ready", func() string {
		select {
		case <-s.gone:
			s.t.Fatal("the server ended at its start")
		default:
		}
		if strings.Count(s.log.String(), "Lanyard serves") > before {
			return ""
		}
		return "it says nothing"
	})
}

// end sends a signal and returns when the server is gone.
func (s *served) end(sig syscall.Signal) {
	select {
	case <-s.gone:
		return
	default:
	}
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.gone:
	case <-time.After(harness.Wait):
		s.t.Error("the server does not end")
	}
}

// stored is the directory in the server's database.
func (s *served) stored() (*directory.Snapshot, error) {
	c := s.db
	c.ReadOnly = true
	rows, err := store.Open(s.t.Context(), c)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all, _, _, _, err := rows.LoadDirectory(s.t.Context())
	if err != nil {
		return nil, err
	}
	all.Reset = 0
	snapshot, _ := directory.Empty().With(all)
	return snapshot, nil
}

// differs compares the database with the tenant.
func (s *served) differs() string {
	snapshot, err := s.stored()
	if err != nil {
		return err.Error()
	}
	return s.sim.differs(snapshot)
}

// shown is the directory that the running server decides from, put together from what its API says of it.
func (s *served) shown() (*directory.Snapshot, error) {
	operator := remote.Socket(filepath.Join(s.dir, "data", "lanyard.sock"))
	defer operator.Close()
	var c directory.Change
	users, err := operator.DirectoryUsers(s.t.Context())
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		c.Users = append(c.Users, directory.User{ID: identity.UserID{Tenant: tenantID, Object: u.Object}, Name: u.Name, UserName: u.UserName, Mail: u.Mail,
			Enabled: u.Enabled, SignInsFrom: u.SignInsFrom})
	}
	groups, err := operator.DirectoryGroups(s.t.Context())
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		id := identity.GroupID{Tenant: tenantID, Object: g.ID}
		c.Groups = append(c.Groups, directory.Group{ID: id, Name: g.Name, Security: g.Security, Assigned: g.Assigned})
		members, err := operator.DirectoryMembers(s.t.Context(), g.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			in := directory.Member{User: identity.UserID{Tenant: tenantID, Object: m.User}}
			if m.Group != "" {
				in = directory.Member{Group: identity.GroupID{Tenant: tenantID, Object: m.Group}}
			}
			c.Members = append(c.Members, directory.Membership{Group: id, Member: in})
		}
	}
	snapshot, _ := directory.Empty().With(c)
	return snapshot, nil
}

// showsOther compares what the running server has in memory with the tenant.
func (s *served) showsOther() string {
	snapshot, err := s.shown()
	if err != nil {
		return err.Error()
	}
	return s.sim.differs(snapshot)
}
