// Package serve tests `lanyard serve` with a configuration file, on both databases, beside the sample world whose
// tenant it reads.
package serve

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const configuration = `url: http://lanyard.localhost:%d
listen: 127.0.0.1:%[1]d
data: %s/data
encryption_key_file: %[2]s/keys/encryption.key
entra:
  tenant: 8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01
  client_id: 474233c8-e2bb-4d1b-bb70-e02df84a14de
  credential: {secret_file: %[2]s/keys/client-secret}
  authority: %s
  graph: %s
domains: {workspaces: localhost}
roles: {admin: [lanyard-admins], auditor: [lanyard-auditors]}
audit: {checkpoints: %[2]s/checkpoints, retention: 400d, export: [{name: file, file: %[2]s/audit.jsonl}]}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[2]s/projects
listen_metrics: 127.0.0.1:%[6]d
log: {requests: %[2]s/requests.jsonl}
%[5]s
`

func TestServe(t *testing.T) {
	w := harness.Start(t)
	secret, err := os.ReadFile(filepath.Join(w.Data, "secrets", "client-secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":     func(*testing.T) string { return "" },
		"postgresql": func(t *testing.T) string { return storetest.PostgreSQL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "ly-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write := func(name string, text []byte, mode os.FileMode) string {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, text, mode); err != nil {
					t.Fatal(err)
				}
				return path
			}
			write("keys/client-secret", secret, 0o600)
			write("keys/encryption.key", []byte(base64.StdEncoding.EncodeToString(token.NewSealingKey())), 0o600)
			payments, err := os.ReadFile(filepath.Join(w.Info.Projects, "payments.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			write("projects/payments.yaml", payments, 0o644)
			more := ""
			if u := database(t); u != "" {
				more = "database_file: " + write("keys/database", []byte(u), 0o600)
			}
			authority, _, _ := strings.Cut(w.Info.Tenant.Issuer, "/8c2f1a40")
			port, operations := harness.FreePort(t), harness.FreePort(t)
			file := write("lanyard.yaml", fmt.Appendf(nil, configuration, port, dir, authority, w.Info.Tenant.Graph, more, operations), 0o644)

			pages := fmt.Sprintf("http://lanyard.localhost:%d", port)
			w.Tenant().Do(http.MethodPatch, "/applications(appId='474233c8-e2bb-4d1b-bb70-e02df84a14de')", map[string]any{"web": map[string]any{
				"redirectUris": []string{pages + "/login/callback/entra", pages + "/logout/done"}, "logoutUrl": pages + "/logout/frontchannel",
			}}, nil)
			if out, err := exec.Command(w.Program(), "check", "--config", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "Long-lived credentials left") {
				t.Errorf("check: %v\n%s", err, out)
			}
			run := func() (*exec.Cmd, *harness.Buffer) {
				var log harness.Buffer
				cmd := exec.Command(w.Program(), "serve", "--config", file)
				cmd.Stderr = &log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				w.Eventually("serve is ready:\n"+log.String(), func() bool { return strings.Contains(log.String(), "Lanyard serves") })
				return cmd, &log
			}
			end := func(cmd *exec.Cmd, sig os.Signal) {
				_ = cmd.Process.Signal(sig)
				_ = cmd.Wait()
			}
			cmd, _ := run()
			operator := remote.Socket(filepath.Join(dir, "data", "lanyard.sock"))
			defer operator.Close()
			allowed := func() bool {
				why, err := operator.Why(w.Context(), "repo:write", "https://git.example.test/payments/api", "ada")
				return err == nil && why.Decision == "allow" && why.Via == "payments-engineers"
			}
			w.Eventually("ada may push", allowed)
			checkOperations(t, w, port, operations, filepath.Join(dir, "requests.jsonl"))
			checkDoctor(t, w, file, filepath.Join(dir, "keys", "client-secret"))
			if out, err := exec.Command(w.Program(), "why", "--socket", filepath.Join(dir, "data", "lanyard.sock"), "--user", "ada",
				"repo:read", "https://git.example.test/payments/api").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("allow")) {
				t.Errorf("why --user asks about somebody, and signs nobody in: %v\n%s", err, out)
			}
			if out, err := exec.Command(w.Program(), "list", "--socket", filepath.Join(dir, "data", "lanyard.sock"), "--user", "ada").CombinedOutput(); err == nil {
				t.Errorf("--user signs in outside dev:\n%s", out)
			}
			end(cmd, syscall.SIGKILL)
			cmd, log := run()
			w.Eventually("ada may push after kill -9", allowed)
			deadline := time.Now().Add(harness.Wait)
			for {
				v, err := operator.VerifyAudit(w.Context())
				if err == nil && v.OK && v.Complete {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("audit verify: %+v %v\n%s", v, err, log.String())
				}
				time.Sleep(50 * time.Millisecond)
			}
			checkAudit(t, w, dir)
			end(cmd, syscall.SIGTERM)
		})
	}
}
