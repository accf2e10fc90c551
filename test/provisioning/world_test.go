// Package provisioning tests `lanyard serve` behind a tenant's provisioning service: what the service says in either
// dialect, on both databases, is what the directory then has.
package provisioning

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	secret = "the-client-secret-of-a-test"
	// provisioningApp is the second enterprise application, whose assignments are provisioned.
	provisioningApp = "3e0f2d1c-5a4b-4c3d-8e2f-1a0b9c8d7e6f"
	configuration   = `url: %s
listen: 127.0.0.1:%d
data: %s/data
%s
encryption_key_file: %[3]s/keys/encryption.key
entra:
  tenant: %[5]s
  client_id: %[6]s
  credential: {secret_file: %[3]s/keys/client-secret}
  authority: %[7]s
  graph: %[7]s/v1.0
  scim: {audience: "api://%[8]s", subject: %[9]s}
directory: {members: scim}
domains: {workspaces: localhost}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
`
)

// world is a tenant with a provisioning service, and a server.
type world struct {
	*testing.T
	dir      string
	url      string
	tenant   *entrasim.Tenant
	http     *http.Client
	Operator *remote.Remote
	log      harness.Buffer
}

// newWorld starts an organisation's tenant, and a server on a database (its URL; empty: SQLite) that takes memberships
// from its provisioning service.
func newWorld(t *testing.T, org entrasim.Organisation, database string) *world {
	t.Helper()
	harness.Need(t, "bwrap")
	dir, err := os.MkdirTemp("", "lp-") // short: a socket lives below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	port := harness.FreePort(t)
	w := &world{T: t, dir: dir, url: fmt.Sprintf("http://lanyard.localhost:%d", port)}
	transport := &http.Transport{DialContext: server.Dial, MaxIdleConnsPerHost: 16}
	w.http = &http.Client{Transport: transport, Timeout: harness.Wait}
	t.Cleanup(transport.CloseIdleConnections)
	authority := w.openTenant(org)
	w.write("keys/client-secret", secret)
	w.write("keys/encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey())+"\n")
	if err := os.Mkdir(filepath.Join(dir, "projects"), 0o755); err != nil {
		t.Fatal(err)
	}
	if database != "" {
		database = "database_file: " + w.write("keys/database", database)
	}
	w.serve(w.write("lanyard.yaml", fmt.Sprintf(configuration, w.url, port, dir, database, org.TenantID, entrasim.LanyardAppID, authority,
		provisioningApp, w.tenant.ProvisioningSubject())))
	return w
}

func (w *world) openTenant(org entrasim.Organisation) (authority string) {
	w.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	authority = fmt.Sprintf("http://tenant.localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	if w.tenant, err = entrasim.New(entrasim.Config{URL: authority, Dial: server.Dial, Organisation: org}); err != nil {
		w.Fatal(err)
	}
	serve := &http.Server{Handler: w.tenant, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve.Serve(listener)
	}()
	w.Cleanup(func() {
		serve.Close()
		<-done
		if err := w.tenant.Close(); err != nil {
			w.Error(err)
		}
	})
	return authority
}

func (w *world) write(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// serve runs the server until the test ends.
func (w *world) serve(config string) {
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", config)
	cmd.Stderr = &w.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig goes by the thread
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		w.Fatal(err)
	}
	w.Operator = remote.Socket(filepath.Join(w.dir, "data", "lanyard.sock"))
	w.Cleanup(func() {
		w.Operator.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM) // gone already is as good
		select {
		case <-exited:
		case <-time.After(harness.Wait):
			_ = cmd.Process.Kill()
			<-exited
			w.Error("the server did not end when it was asked to")
		}
		if w.Failed() {
			w.Logf("the server's log:\n%s", w.log.String())
		}
	})
	w.eventually("the server serves", func() bool {
		select {
		case <-exited:
			w.Fatalf("the server ended at its start:\n%s", w.log.String())
		default:
		}
		return strings.Contains(w.log.String(), "Lanyard serves")
	})
}

func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(harness.Wait); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
	}
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*harness.Wait)
	w.Cleanup(cancel)
	return ctx
}

// bearer makes a secret token.
func (w *world) bearer() string {
	w.Helper()
	made, err := w.Operator.NewProvisioningSecret(w.context(), api.NewProvisioningSecret{Name: "a secret token", Kind: "bearer", Days: 1})
	if err != nil {
		w.Fatal(err)
	}
	return made.Secret
}

// credential makes one of a kind: bearer, client or federated.
func (w *world) credential(kind string) provisioning.Credential {
	w.Helper()
	switch kind {
	case "client":
		made, err := w.Operator.NewProvisioningSecret(w.context(), api.NewProvisioningSecret{Name: "a client", Kind: "client", Days: 1})
		if err != nil {
			w.Fatal(err)
		}
		return &provisioning.Client{TokenEndpoint: made.TokenEndpoint, ID: made.ID, Secret: made.Secret}
	case "federated":
		p, err := w.Operator.Provisioning(w.context())
		if err != nil {
			w.Fatal(err)
		}
		return &provisioning.Client{TokenEndpoint: p.TokenEndpoint, ID: provisioningApp}
	}
	return provisioning.SecretToken(w.bearer())
}
