package msal

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

const serveConfiguration = `url: %[1]s
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
`

const webProject = `project: payments
roles: {developer: [payments-engineers]}
resources:
  - app: web
    url: %s
    assertion: {audience: payments-web}
`

// seen is what an app learns of who is there: from MSAL, from Graph with MSAL's token, and from Lanyard.
type seen struct{ MSAL, Graph, Lanyard string }

// TestMSALBehindLanyard: an app of Lanyard's project signs its people in with MSAL, through Lanyard, at the tenant at which
// Lanyard itself has signed them in over TLS; all three name the same person. Who has no role never gets to the app.
func TestMSALBehindLanyard(t *testing.T) {
	harness.Need(t, "bwrap", "git")
	w := newWorld(t)
	port := harness.FreePort(t)
	lanyard, site := fmt.Sprintf("http://lanyard.localhost:%d", port), fmt.Sprintf("http://app-web.localhost:%d", port)
	if err := w.SetRedirects(entrasim.LanyardAppID, []string{lanyard + signin.RedirectPath, lanyard + signin.LogoutPath}, lanyard+signin.FrontChannelPath); err != nil {
		t.Fatal(err)
	}
	if err := w.SetRedirects(webID, []string{site + "/signed-in"}, ""); err != nil {
		t.Fatal(err)
	}
	ada, mallory := w.browser(), w.browser()
	app := httptest.NewServer(w.webApp(lanyard, site, ada.HTTP()))
	t.Cleanup(app.Close)
	w.serve(lanyard, port, app.URL)

	if err := ada.SignIn(w.ctx(), lanyard, "ada@contoso.example", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	var got seen
	status, body := w.visit(ada, site+"/")
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("the app answers %d %s", status, body)
	}
	if got.MSAL != entrasim.AdaID || got.Lanyard != entrasim.AdaID || got.Graph != "Ada Lovelace" {
		t.Errorf("the app sees %+v", got)
	}
	if err := mallory.SignIn(w.ctx(), lanyard, "mallory@contoso.example", "lanyard-mallory"); err != nil {
		t.Fatal(err)
	}
	if status, body := w.visit(mallory, site+"/"); status != http.StatusNotFound {
		t.Errorf("who has no role is answered %d %s", status, body)
	}
}

// browser is a person's browser that trusts the test's authority.
func (w *world) browser() *browser.Browser {
	b := browser.New()
	b.HTTP().Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: w.ca.pool()}
	w.t.Cleanup(b.Close)
	return b
}

func (w *world) visit(b *browser.Browser, address string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	answer, err := b.HTTP().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// webApp is an app with a sign-in of its own, made with MSAL, that looks at Lanyard's assertion besides.
func (w *world) webApp(lanyard, site string, keys *http.Client) http.Handler {
	client := w.goConfidential(w.t, webID, goSecret(w.t))
	back, scopes := site+"/signed-in", []string{graphRead}
	assertions := oidc.NewVerifier(lanyard, oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), keys), lanyard+issuer.JWKSPath),
		&oidc.Config{ClientID: "payments-web", SupportedSigningAlgs: []string{oidc.ES256}})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) {
		link, err := client.AuthCodeURL(r.Context(), webID, back, scopes)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(rw, r, link, http.StatusFound)
	})
	mux.HandleFunc("GET /signed-in", func(rw http.ResponseWriter, r *http.Request) {
		result, err := client.AcquireTokenByAuthCode(r.Context(), r.FormValue("code"), back, scopes)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		assertion, err := assertions.Verify(r.Context(), r.Header.Get("Lanyard-Assertion"))
		var who struct {
			OID string `json:"oid"`
		}
		if err == nil {
			err = assertion.Claims(&who)
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		name, _ := w.graph(w.t, result.AccessToken, "/me")["displayName"].(string)
		_ = json.NewEncoder(rw).Encode(seen{result.IDToken.Oid, name, who.OID})
	})
	return mux
}

// serve runs `lanyard serve` for the tenant, whose authority it trusts as an administrator makes it: by SSL_CERT_FILE.
func (w *world) serve(lanyard string, port int, app string) {
	w.t.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ly-")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	registered, _ := w.App("Lanyard")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return path
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	write("client-secret", registered.Secret)
	write("encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey()))
	write("projects/payments.yaml", fmt.Sprintf(webProject, app))
	file := write("lanyard.yaml", fmt.Sprintf(serveConfiguration, lanyard, port, dir, w.TenantID(), registered.ClientID, w.url, w.GraphURL()))
	var log harness.Buffer
	cmd := exec.Command(filepath.Join(bin, "lanyard"), "serve", "--config", file)
	cmd.Env, cmd.Stderr = append(os.Environ(), "SSL_CERT_FILE="+w.ca.file), &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if w.t.Failed() {
			w.t.Logf("the server's log:\n%s", log.String())
		}
	})
	for end := time.Now().Add(harness.Wait); !strings.Contains(log.String(), "Lanyard serves"); {
		select {
		case <-ended:
			w.t.Fatal("serve ended at its start")
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			w.t.Fatal("serve is not ready")
		}
	}
	operator := remote.Socket(filepath.Join(dir, "data", "lanyard.sock"))
	defer operator.Close()
	for end := time.Now().Add(harness.Wait); ; time.Sleep(20 * time.Millisecond) { // before it has read who there is, nobody has a role
		d, err := operator.Directory(w.ctx())
		if err == nil && d.State == "fresh" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the directory is %q: %v", d.State, err)
		}
	}
}
