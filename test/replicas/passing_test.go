package replicas

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

const joining = `url: %[1]s
listen: 127.0.0.1:%[2]d
data: %[3]s/data
%[4]s
encryption_key_file: %[3]s/key
entra:
  tenant: %[5]s
  client_id: %[6]s
  credential: {secret_file: %[7]s/secrets/client-secret}
  authority: %[8]s
  graph: %[9]s
domains: {workspaces: localhost}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[7]s/projects
policies: %[7]s/policies
clients:
  - client: reports
    secret_file: %[7]s/secrets/reports-client
    audiences: [reports]
`

// TestTerminalThroughAnotherReplica: a workspace lives at one replica, and its owner reaches it through another, under
// a lease there. What ends access at either one closes it.
func TestTerminalThroughAnotherReplica(t *testing.T) {
	t.Setenv(harness.Database, "postgresql")
	a := harness.Start(t)
	ws := a.Workspace("ada", a.Info.ContextURLs[0])

	dir, err := os.MkdirTemp("", "lr-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, dir: dir}
	key, err := os.ReadFile(filepath.Join(a.Data, "secrets", "encryption.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("key", base64.StdEncoding.EncodeToString(key))
	authority, tenant, _ := strings.Cut(strings.TrimSuffix(a.Info.Tenant.Issuer, "/v2.0"), "localhost:")
	port, id, _ := strings.Cut(tenant, "/")
	b := &replica{w: w, name: "b", port: harness.FreePort(t)}
	b.config = w.write("b.yaml", fmt.Sprintf(joining, a.Info.URL, b.port, dir, a.DatabaseLine(), id, entrasim.LanyardAppID, a.Data,
		authority+"localhost:"+port, a.Info.Tenant.Graph))
	b.run()
	t.Cleanup(func() {
		b.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the log of b:\n%s", b.log.String())
		}
	})
	operator := remote.Socket(filepath.Join(dir, "data", "lanyard.sock"))
	defer operator.Close()

	ada := a.As("ada")
	home, err := url.Parse(a.Info.URL)
	if err != nil {
		t.Fatal(err)
	}
	ada.HTTP.CloseIdleConnections()
	ada.HTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		to := fmt.Sprintf("127.0.0.1:%d", b.port)
		if _, port, _ := net.SplitHostPort(address); port != home.Port() {
			return nil, fmt.Errorf("%s is not Lanyard's", address)
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	w.eventually("b knows of the workspace", func() bool {
		row, err := ada.Workspace(w.context(), ws.ID)
		return err == nil && row.Phase == "running"
	})
	if out := a.Must("ada", ws, "echo through-$((40+2))"); !strings.Contains(out, "through-42") {
		t.Errorf("a command through another replica said %q", out)
	}
	terminal := a.Terminal("ada", ws)
	if err := terminal.Type("echo typed-$((40+2))\n"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the terminal answers", func() bool { return strings.Contains(terminal.Output(), "typed-42") })
	leases, err := operator.Leases(w.context(), "*")
	if err != nil || len(leases.Open) == 0 {
		t.Errorf("the lease is not held where ada came in: %+v %v", leases, err)
	}
	w.tokenAtAnother(a, b, ws)
	begun := time.Now()
	if _, err := a.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-terminal.Ended():
		_, reason, at := terminal.End()
		t.Logf("MEASURED revoked at the workspace's replica, a terminal through another one closed after %.1f ms: %s", float64(at.Sub(begun))/1e6, reason)
	case <-time.After(harness.Wait):
		t.Fatal("the terminal stays open")
	}
}

// tokenAtAnother: a token that was minted where the workspace lives is known at the other replica, and what is revoked at
// one is revoked at both.
func (w *world) tokenAtAnother(a *harness.World, b *replica, ws api.Workspace) {
	w.Helper()
	secret, err := os.ReadFile(filepath.Join(a.Data, "secrets", "reports-client"))
	if err != nil {
		w.Fatal(err)
	}
	active := func(raw string) bool {
		r, err := http.NewRequestWithContext(w.context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/oauth/introspect", b.port),
			strings.NewReader(url.Values{"token": {raw}}.Encode()))
		if err != nil {
			w.Fatal(err)
		}
		r.Host = strings.TrimPrefix(a.Info.URL, "http://")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("reports", string(secret))
		status, body := a.Curl(r)
		if status != http.StatusOK {
			w.Fatalf("introspection at b: %d %s", status, body)
		}
		return strings.Contains(body, `"active":true`)
	}
	raw := strings.TrimSpace(a.Must("ada", ws, "lanyard token --audience reports"))
	if !active(raw) {
		w.Error("a token that was minted at a is not active at b")
	}
	leases, err := a.Operator.Leases(w.context(), "ada")
	if err != nil {
		w.Fatal(err)
	}
	for _, l := range leases.Open {
		if l.Action != "token:mint" {
			continue
		}
		if _, err := a.Operator.EndLease(w.context(), l.ID); err != nil {
			w.Fatal(err)
		}
	}
	w.eventually("b knows that the right is revoked", func() bool { return !active(raw) })
}
