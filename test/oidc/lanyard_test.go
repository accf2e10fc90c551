package oidc

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

const configuration = `url: %[1]s
listen: 127.0.0.1:%[2]d
data: %[3]s/data
encryption_key_file: %[3]s/keys/encryption.key
oidc:
  issuer: %[4]s
  client_id: lanyard
  credential: %[5]s
%[6]s
domains: {workspaces: localhost, apps: localhost}
directory: {sweep: 1s}
roles: {admin: [ops]}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
policies: %[3]s/policies
%[7]s
`

const payments = `project: payments
roles:
  developer: [/contoso/engineers]
  viewer: [everybody]
  maintainer: ["app-role:Payments.Lead"]
resources:
  - app: ledger
    url: %s
    assertion: {audience: ledger}
`

// lanyard is a `lanyard serve`.
type lanyard struct {
	t        *testing.T
	url      string
	port     int
	dir      string
	postgres bool // rows are in PostgreSQL, otherwise in SQLite
	log      *harness.Buffer
	operator *remote.Remote
}

// place finds where a Lanyard will be; the provider has to know before it is there.
func place(t *testing.T) *lanyard {
	t.Helper()
	harness.Need(t, "bwrap", "git")
	l := &lanyard{t: t, port: harness.FreePort(t), log: &harness.Buffer{}}
	l.url = fmt.Sprintf("http://lanyard.localhost:%d", l.port)
	dir, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	l.dir = dir
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

// redirect is where an issuer sends people back to.
func (l *lanyard) redirect(issuer string) string {
	return l.url + signin.Tenant{ID: identity.TenantID(issuer), Issuer: issuer, OIDC: &signin.OIDC{}}.RedirectPath()
}

func (l *lanyard) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// serve starts it, for an issuer; more are further keys of `oidc`, indented by two spaces.
func (l *lanyard) serve(issuer, app, credential, more string) {
	l.t.Helper()
	if credential == "" {
		credential = "{secret_file: " + l.write("keys/client-secret", clientSecret+"\n") + "}"
	}
	l.write("keys/encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey()))
	l.write("projects/payments.yaml", fmt.Sprintf(payments, app))
	if err := os.MkdirAll(filepath.Join(l.dir, "policies"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	database := ""
	if l.postgres {
		database = "database_file: " + l.write("keys/database", storetest.PostgreSQL(l.t))
	}
	file := l.write("lanyard.yaml", fmt.Sprintf(configuration, l.url, l.port, l.dir, issuer, credential, more, database))
	bin, err := harness.Programs()
	if err != nil {
		l.t.Fatal(err)
	}
	program := filepath.Join(bin, "lanyard")
	if out, err := exec.Command(program, "check", "--config", file).CombinedOutput(); err != nil || !strings.Contains(string(out), l.redirect(issuer)) {
		l.t.Errorf("check: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "serve", "--config", file)
	cmd.Stderr = l.log
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
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // gone already is as good
		<-exited
		if l.t.Failed() {
			l.t.Logf("the server's log:\n%s", l.log.String())
		}
	})
	eventually(l.t, "lanyard serves", func() bool { return strings.Contains(l.log.String(), "Lanyard serves") })
	l.operator = remote.Socket(filepath.Join(l.dir, "data", "lanyard.sock"))
	l.t.Cleanup(l.operator.Close)
}

// signIn signs somebody in at the provider, by its page.
func (l *lanyard) signIn(username, password string) (*remote.Remote, error) {
	l.t.Helper()
	b := browser.New()
	l.t.Cleanup(b.Close)
	if err := b.SignIn(within(l.t), l.url, username, password); err != nil {
		return nil, err
	}
	return remote.As(b, l.url), nil
}

// enter is signIn for who has to succeed.
func (l *lanyard) enter(username string) *remote.Remote {
	l.t.Helper()
	r, err := l.signIn(username, "pw-"+username)
	if err != nil {
		l.t.Fatalf("%s: %v", username, err)
	}
	return r
}

// role is what somebody is in the project; empty: nothing.
func (l *lanyard) role(r *remote.Remote) string {
	l.t.Helper()
	me, err := r.Me(within(l.t))
	if err != nil {
		return "refused: " + err.Error()
	}
	if len(me.Projects) == 0 {
		return ""
	}
	return me.Projects[0].Role
}

// ledger is the app's answer, which the caller closes.
func (l *lanyard) ledger(r *remote.Remote) *http.Response {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, fmt.Sprintf("http://app-ledger.localhost:%d/", l.port), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for name, value := range map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} {
		req.Header.Set(name, value)
	}
	resp, err := r.Browser.HTTP().Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp
}
