// Package clients tests Lanyard's issuer with OAuth and OpenID clients made by others: openid-client, oauth4webapi and jose of
// npm, and x/oauth2, go-oidc and zitadel's relying party of Go.
package clients

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // zitadel's library writes to it
	harness.Main(m)
}

const configuration = `url: %[1]s
listen: 127.0.0.1:%[2]d
data: %[3]s/data
encryption_key_file: %[3]s/encryption.key
entra:
  tenant: %[4]s
  client_id: %[5]s
  credential: {secret_file: %[3]s/client-secret}
  authority: %[6]s
  graph: %[7]s
domains: {workspaces: localhost, apps: localhost}
roles: {admin: [lanyard-admins]}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
clients:
  - client: portal
    name: The portal
    secret_file: %[3]s/portal
    redirect_uris: ["https://portal.example.test/back"]
    device: true
    exchange: [planner]
  - client: planner
    secret_file: %[3]s/planner
    audiences: [planner]
    exchange: [storage, cloud]
  - client: native
    redirect_uris: ["http://127.0.0.1/callback"]
    device: true
`

const payments = `project: payments
roles: {developer: [payments-engineers]}
resources:
  - {audience: planner, aud: "https://planner.example.test"}
  - {audience: storage, aud: "https://storage.example.test"}
  - {audience: payroll, aud: "https://payroll.example.test"}
  - {audience: cloud, aud: sts.cloud.example.test, kind: federation}
`

const (
	portalSecret  = "a secret/with+signs that an encoder has to know" // RFC 6749 section 2.3.1
	plannerSecret = "MqJ6w1ZPq0mVxk9yN3rT5uB8cD2fG4hK"
	back          = "https://portal.example.test/back"
	onLoopback    = "http://127.0.0.1:49152/callback"
)

// world is one `lanyard serve` with its clients, and Ada's browser. All tests share it.
type world struct {
	url      string
	file     string // the configuration
	ada      *browser.Browser
	operator *remote.Remote
}

func start(t *testing.T) *world {
	t.Helper()
	harness.Need(t, "bwrap", "git")
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	port := harness.FreePort(t)
	w := &world{url: fmt.Sprintf("http://lanyard.localhost:%d", port)}
	tenant, at := w.tenant(t)
	for name, text := range map[string]string{
		"client-secret": "the-client-secret-of-a-test", "encryption.key": base64.StdEncoding.EncodeToString(token.NewSealingKey()),
		"portal": portalSecret, "planner": plannerSecret, "projects/payments.yaml": payments,
		"lanyard.yaml": fmt.Sprintf(configuration, w.url, port, dir, tenant.TenantID(), entrasim.LanyardAppID, at, tenant.GraphURL()),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.file = filepath.Join(dir, "lanyard.yaml")
	if out, err := exec.Command(filepath.Join(bin, "lanyard"), "check", "--config", w.file).CombinedOutput(); err != nil || !strings.Contains(string(out), "the secret of the client portal") {
		t.Errorf("check: %v\n%s", err, out)
	}
	serve(t, exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", w.file))
	w.operator = remote.Socket(filepath.Join(dir, "data", "lanyard.sock"))
	t.Cleanup(w.operator.Close)
	ctx := within(t)
	eventually(t, "the directory is read", func() bool {
		d, err := w.operator.Directory(ctx)
		return err == nil && d.State == "fresh"
	})
	w.ada = browser.New()
	t.Cleanup(w.ada.Close)
	if err := w.ada.SignIn(ctx, w.url, "ada@contoso.example", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	return w
}

// tenant serves the tenant at which people sign in.
func (w *world) tenant(t *testing.T) (*entrasim.Tenant, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("http://tenant.localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	tenant, err := entrasim.New(entrasim.Config{URL: at, Dial: server.Dial, Organisation: entrasim.Contoso(entrasim.Sample{
		RedirectURIs: []string{w.url + signin.RedirectPath}, Secret: "the-client-secret-of-a-test",
	})})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: tenant, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(listener)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
		if err := tenant.Close(); err != nil {
			t.Error(err)
		}
	})
	return tenant, at
}

// serve runs the server until the test ends.
func serve(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var log harness.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended shows in its log
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // gone already is as good
		<-ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	eventually(t, "lanyard serves", func() bool {
		select {
		case <-ended:
			t.Fatalf("serve ended at its start:\n%s", log.String())
		default:
		}
		return strings.Contains(log.String(), "Lanyard serves")
	})
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// visit has Ada go to a client's page and say yes; it gives where she is sent back to.
func (w *world) visit(ctx context.Context, page string) (string, error) {
	body, _, err := w.open(ctx, http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	fields := url.Values{"go": {"on"}}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	body, to, err := w.open(ctx, http.MethodPost, w.url+issuer.AuthorizePath, fields)
	if err == nil && to == "" {
		err = fmt.Errorf("nobody is sent back: %s", body)
	}
	return to, err
}

// types has Ada type a device's code, look at what it stands for, and say yes.
func (w *world) types(ctx context.Context, code string) error {
	for _, form := range []url.Values{{"user_code": {code}}, {"user_code": {code}, "go": {"on"}}} {
		if body, _, err := w.open(ctx, http.MethodPost, w.url+issuer.DevicePath, form); err != nil || strings.Contains(body, "data-testid=\"client-code\"") {
			return fmt.Errorf("the code is not taken: %w", err)
		}
	}
	return nil
}

// open opens a page, and gives it with where it leads to.
func (w *world) open(ctx context.Context, method, page string, form url.Values) (body, to string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, page, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", w.url)
	}
	http1 := *w.ada.HTTP()
	http1.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := http1.Do(r)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 {
		err = fmt.Errorf("%s %s: %s\n%s", method, page, resp.Status, text)
	}
	return string(text), resp.Header.Get("Location"), err
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(harness.Wait); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %v: %s", harness.Wait, what)
		}
	}
}
