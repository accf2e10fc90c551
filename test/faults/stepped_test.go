package faults

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

// A wall clock that is set an hour back or forth makes an old directory no younger and takes nothing away for longer than
// it takes to read the directory again.
func TestClockSteppedByAnHour(t *testing.T) {
	slow(t)
	w := harness.Start(t)
	c := newClock(t, w.Bin())
	data, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	write := func(name, text string) string {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority, tenant, _ := strings.Cut(strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0"), ".localhost")
	port, tenant, _ := strings.Cut(tenant, "/")
	file := write("lanyard.yaml", fmt.Sprintf(`
url: http://lanyard.localhost:%d
listen: 127.0.0.1:%[1]d
data: %[2]s/data
encryption_key_file: %[3]s
entra:
  tenant: %[4]s
  client_id: %[5]s
  credential: {secret_file: %[6]s/secrets/client-secret}
  graph: %[7]s
  authority: %[8]s
directory: {sweep: 1s, stale_after: 3s, close_after: 6s}
domains: {workspaces: localhost}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[9]s
`, harness.FreePort(t), data, write("key", base64.StdEncoding.EncodeToString(token.NewSealingKey())), tenant, entrasim.LanyardAppID,
		w.Data, w.Info.Tenant.Graph, authority+".localhost"+port, w.Info.Projects))
	cmd := exec.Command(c.program, "serve", "--config", file)
	cmd.Env = append(os.Environ(), c.env())
	var said harness.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("serve ended with %v:\n%s", err, said.String())
		}
	})
	operator := remote.Socket(filepath.Join(data, "data", "lanyard.sock"))
	defer operator.Close()
	answer := func() string {
		why, err := operator.Why(w.Context(), "repo:write", "https://git.example.test/payments/api", "ada")
		if err != nil {
			return err.Error()
		}
		return why.Decision + " " + strings.Join(why.Reasons, "; ")
	}
	becomes := func(what string) time.Duration {
		t.Helper()
		began := time.Now()
		for !strings.Contains(answer(), what) {
			if time.Since(began) > harness.Wait {
				t.Fatalf("never: %s; the answer is %s", what, answer())
			}
			time.Sleep(20 * time.Millisecond)
		}
		return time.Since(began)
	}
	becomes("allow")
	for _, by := range []time.Duration{time.Hour, -time.Hour, 0} {
		c.step(t, by)
		t.Logf("the clock is off by %v: allowed %v later", by, becomes("allow").Round(10*time.Millisecond))
		w.Kill()
		gone := time.Now()
		c.step(t, by-time.Hour) // while the tenant is away, an hour back: what was read is not read an hour later
		becomes("the directory was last read")
		t.Logf("without the tenant, and an hour back: refused after %v", time.Since(gone).Round(10*time.Millisecond))
		w.Run()
		t.Logf("with the tenant again: allowed after %v", becomes("allow").Round(10*time.Millisecond))
	}
	v, err := operator.VerifyAudit(w.Context())
	if err != nil || !v.OK {
		t.Errorf("audit verify: %+v %v", v, err)
	}
}
