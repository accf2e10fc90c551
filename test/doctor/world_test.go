package doctor

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

const (
	secret     = "First~secret-of-the-app"
	toolSecret = "Tools~secret"

	configuration = `url: %[1]s
listen: 127.0.0.1:%[2]d
data: %[3]s/data
encryption_key_file: %[3]s/keys/encryption.key
tls: {cert_file: %[3]s/keys/site.pem, key_file: %[3]s/keys/site.key}
entra:
  tenant: %[4]s
  client_id: %[5]s
  credential: [{certificate_file: %[3]s/keys/app.pem, key_file: %[3]s/keys/app.key}, {secret_file: %[3]s/keys/client-secret}]
  authority: %[6]s
  graph: %[6]s/v1.0
  notifications: %[7]s/hooks/graph
directory: {sweep: 1s, stale_after: 5s, close_after: 10m}
domains: {workspaces: work.localhost}
roles: {admin: [lanyard-admins], auditor: [lanyard-auditors]}
audit: {checkpoints: %[3]s/checkpoints}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
`
	project = "project: payments\nroles: {developer: [payments-engineers]}\n"
)

// world is a tenant, a server, and a proxy by which the tenant reaches it.
type world struct {
	*testing.T
	dir, url string
	tenant   *entrasim.Tenant
	tenantAt string
	graph    string // a token that may change the tenant
	proxy    *proxy
	log      *harness.Buffer
	cmd      *exec.Cmd
	gone     chan struct{}
}

// proxy passes on what the tenant posts, unless it is told to answer itself.
type proxy struct {
	url     string
	strange atomic.Bool
}

// newWorld starts all of it. The site's certificate ends when it is said to, and is for these hosts.
func newWorld(t *testing.T, ends time.Time, hosts ...string) *world {
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
	w := &world{T: t, dir: dir, log: &harness.Buffer{}}
	port := harness.FreePort(t)
	w.url = fmt.Sprintf("https://lanyard.localhost:%d", port)
	w.proxy = w.newProxy()
	cert, key, err := authority.forApp(time.Now().AddDate(0, 6, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.newTenant(cert)
	w.write("keys/app.pem", cert)
	w.write("keys/app.key", key)
	w.write("keys/client-secret", []byte(secret))
	w.write("keys/encryption.key", []byte(base64.StdEncoding.EncodeToString(token.NewSealingKey())))
	w.write("projects/payments.yaml", []byte(project))
	w.write("lanyard.yaml", fmt.Appendf(nil, configuration, w.url, port, dir, entrasim.ContosoTenantID, entrasim.LanyardAppID, w.tenantAt, w.proxy.url))
	w.site(ends, hosts...)
	t.Cleanup(func() {
		w.end(syscall.SIGTERM)
		if t.Failed() {
			text := w.log.String()
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-6000):])
		}
	})
	w.run()
	return w
}

// write writes a file below the world's folder.
func (w *world) write(name string, text []byte) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.Fatal(err)
	}
}

// allHosts are what the site's certificate has to be for.
var allHosts = []string{"lanyard.localhost", "*.work.localhost"}

// site puts another certificate in place, which the server takes over by itself.
func (w *world) site(ends time.Time, hosts ...string) {
	w.Helper()
	cert, key, err := authority.issue(ends, hosts...)
	if err != nil {
		w.Fatal(err)
	}
	w.write("keys/site.pem", cert)
	w.write("keys/site.key", key)
}

// serve serves on a port of loopback until the test ends.
func (w *world) serve(h http.Handler, name string) string {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: h}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }() // it ends with Close
	w.Cleanup(func() { s.Close(); <-served })
	return fmt.Sprintf("http://%s:%d", name, l.Addr().(*net.TCPAddr).Port)
}

func (w *world) newProxy() *proxy {
	w.Helper()
	to, err := url.Parse(w.url)
	if err != nil {
		w.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{DialContext: server.Dial, DisableKeepAlives: true},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	p := &proxy{}
	p.url = w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if p.strange.Load() {
			_, _ = io.WriteString(rw, "<html>It works!</html>")
			return
		}
		pass.ServeHTTP(rw, r)
	}), "127.0.0.1")
	return p
}

// newTenant is Contoso with an app registration in which nothing is missing.
func (w *world) newTenant(certificate []byte) {
	w.Helper()
	block, _ := pem.Decode(certificate)
	org := entrasim.Contoso(entrasim.Sample{
		RedirectURIs: []string{w.url + "/login/callback/entra", w.url + "/logout/done"}, LogoutURL: w.url + "/logout/frontchannel", Secret: secret,
	})
	for i := range org.Apps {
		switch a := &org.Apps[i]; a.ClientID {
		case entrasim.LanyardAppID:
			a.Certificates, a.AssignmentRequired, a.OptionalClaims = [][]byte{block.Bytes}, true, []string{"sid", "auth_time", "acrs", "login_hint"}
		case entrasim.DirectoryToolsAppID:
			a.Secret = toolSecret
			a.GraphRoles = append(a.GraphRoles, "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All")
		}
	}
	var tenant atomic.Pointer[entrasim.Tenant]
	w.tenantAt = w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { tenant.Load().ServeHTTP(rw, r) }), "tenant.localhost")
	made, err := entrasim.New(entrasim.Config{URL: w.tenantAt, Organisation: org, Dial: server.Dial, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := made.Close(); err != nil {
			w.Errorf("close the tenant: %v", err)
		}
	})
	tenant.Store(made)
	w.tenant = made
	w.graph = w.admin()
}

// admin is a token of an app that may change the tenant.
func (w *world) admin() string {
	w.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	w.post(w.tenantAt+"/"+entrasim.ContosoTenantID+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
		"client_id": {entrasim.DirectoryToolsAppID}, "client_secret": {toolSecret}, "scope": {"https://graph.microsoft.com/.default"}}, &answer)
	return answer.Token
}

func (w *world) post(to string, form url.Values, out any) {
	w.Helper()
	c := w.client()
	defer c.CloseIdleConnections()
	res, err := c.PostForm(to, form)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil || res.StatusCode != http.StatusOK {
		w.Fatalf("%s answered %s %v", to, res.Status, err)
	}
}

func (w *world) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: server.Dial}, Timeout: harness.Wait}
}

// change changes the tenant at Graph, as an administrator does; it returns what was answered.
func (w *world) change(method, path string, body any) map[string]any {
	w.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	r, err := http.NewRequest(method, w.tenantAt+"/v1.0"+path, bytes.NewReader(text))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.graph)
	r.Header.Set("Content-Type", "application/json")
	c := w.client()
	defer c.CloseIdleConnections()
	res, err := c.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		w.Fatalf("%s %s: %s %s %v", method, path, res.Status, answer, err)
	}
	said := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &said); err != nil {
			w.Fatal(err)
		}
	}
	return said
}

// The app registration and the enterprise application at Graph.
const (
	application = "/applications(appId='" + entrasim.LanyardAppID + "')"
	enterprise  = "/servicePrincipals(appId='" + entrasim.LanyardAppID + "')"
)

// run starts the server and returns when it serves.
func (w *world) run() {
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	w.cmd = exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", w.config())
	w.cmd.Stderr = w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.gone = make(chan struct{})
	started := make(chan error, 1)
	before := strings.Count(w.log.String(), "Lanyard serves")
	go func(cmd *exec.Cmd, gone chan struct{}) {
		runtime.LockOSThread() // the kernel sends Pdeathsig when the thread ends, not the process
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended shows in its log
		}
		close(gone)
	}(w.cmd, w.gone)
	if err := <-started; err != nil {
		w.Fatal(err)
	}
	w.eventually("the server serves", func() string {
		select {
		case <-w.gone:
			w.Fatal("the server ended at its start")
		default:
		}
		if strings.Count(w.log.String(), "Lanyard serves") == before {
			return "it says nothing"
		}
		return ""
	})
}

func (w *world) end(sig syscall.Signal) {
	select {
	case <-w.gone:
		return
	default:
	}
	_ = w.cmd.Process.Signal(sig)
	select {
	case <-w.gone:
	case <-time.After(harness.Wait):
		_ = w.cmd.Process.Kill()
		w.Error("the server does not end")
	}
}

func (w *world) config() string { return filepath.Join(w.dir, "lanyard.yaml") }

func (w *world) operator() *remote.Remote {
	return remote.Socket(filepath.Join(w.dir, "data", "lanyard.sock"))
}

// lanyard runs a command and returns what it printed, and its exit status.
func (w *world) lanyard(args ...string) harness.Said {
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "lanyard"), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	return harness.Said{Out: out.String(), Err: errs.String(), Status: cmd.ProcessState.ExitCode()}
}

// doctor is what `lanyard entra doctor` says.
func (w *world) doctor(args ...string) (h api.DirectoryHealth, said harness.Said) {
	w.Helper()
	said = w.lanyard(append([]string{"entra", "doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(said.Out), &h); err != nil {
		w.Fatalf("doctor says %s%s", said.Out, said.Err)
	}
	if (said.Status == 0) != h.Sound {
		w.Errorf("doctor ends with %d where sound is %v", said.Status, h.Sound)
	}
	return h, said
}

// now is doctor on the running server.
func (w *world) now() api.DirectoryHealth {
	w.Helper()
	h, _ := w.doctor("--config", w.config())
	return h
}

// eventually waits, generously, for what is about to happen, and tells what it was last when it does not.
func (w *world) eventually(what string, differs func() string) {
	w.Helper()
	last := ""
	for end := time.Now().Add(2 * harness.Wait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if last = differs(); last == "" {
			return
		}
	}
	w.Fatalf("%s: %s", what, last)
}

// sound waits until nothing at all is found.
func (w *world) sound() {
	w.Helper()
	w.eventually("nothing is found", func() string {
		if h := w.now(); len(h.Findings) > 0 {
			return fmt.Sprintf("%+v", h.Findings)
		}
		return ""
	})
}

// finds waits until a fault is found by its code, and returns the finding.
func (w *world) finds(code string) (found api.DirectoryFinding) {
	w.Helper()
	w.eventually(code+" is found", func() string {
		h := w.now()
		for _, f := range h.Findings {
			if f.Code == code {
				found = f
				return ""
			}
		}
		return fmt.Sprintf("it finds %+v", h.Findings)
	})
	return found
}
