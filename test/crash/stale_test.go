package crash

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/server"
	_ "github.com/lanyardhq/lanyard/internal/store" // for its drivers
	"github.com/lanyardhq/lanyard/test/harness"
)

// database opens the server's database, for a hand that is not the server's.
func database(t testing.TB, data string) *sql.DB {
	t.Helper()
	driver, name := "sqlite", "file:"+server.DatabaseFile(filepath.Join(data, "server"))
	if harness.OnPostgreSQL() {
		driver, name = "pgx", harness.DatabaseURL(t, data)
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// directoryIs makes the stored directory so old; the server is off.
func directoryIs(w *harness.World, age time.Duration) {
	w.T.Helper()
	db := database(w.T, w.Data)
	defer db.Close()
	if _, err := db.Exec(`UPDATE directory_state SET as_of = $1`, time.Now().Add(-age).UnixMicro()); err != nil {
		w.T.Fatal(err)
	}
}

// serve runs `lanyard serve` on the sample world's data, on the address that its people know, with a tenant that
// cannot be reached. The returned function ends it as a service manager does.
func serve(w *harness.World) (stop func()) {
	w.T.Helper()
	u, err := url.Parse(w.Info.URL)
	if err != nil {
		w.T.Fatal(err)
	}
	tenant, err := url.Parse(w.Info.Tenant.Issuer)
	if err != nil {
		w.T.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(w.Data, "secrets", "encryption.key"))
	if err != nil {
		w.T.Fatal(err)
	}
	folder := w.T.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "key"), []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		w.T.Fatal(err)
	}
	stop = serving(w, fmt.Sprintf(`
url: %s
listen: 127.0.0.1:%s
data: %[3]s/server
encryption_key_file: %[4]s/key
entra:
  tenant: %[5]s
  client_id: %[6]s
  credential: {secret_file: %[3]s/secrets/client-secret}
  graph: http://127.0.0.1:1/v1.0
  authority: http://127.0.0.1:1
audit: {checkpoints: %[3]s/checkpoints}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
%[7]s
`, w.Info.URL, u.Port(), w.Data, folder, strings.Split(tenant.Path, "/")[1], entrasim.LanyardAppID, w.DatabaseLine()))
	w.Eventually("serve answers", func() bool {
		resp, err := w.Browser().HTTP().Get(w.Info.URL + issuer.JWKSPath)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	})
	return stop
}

// serving runs `lanyard serve` with a configuration, until it is stopped as a service manager does.
func serving(w *harness.World, configuration string) (stop func()) {
	w.T.Helper()
	file := filepath.Join(w.T.TempDir(), "lanyard.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		w.T.Fatal(err)
	}
	cmd := exec.Command(w.Program(), "serve", "--config", file)
	var said harness.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		w.T.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		w.T.Helper()
		if cmd == nil {
			return
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // gone already is seen below
		select {
		case err := <-ended:
			if err != nil {
				w.T.Errorf("serve ended with %v:\n%s", err, said.String())
			}
		case <-time.After(harness.Wait):
			_ = cmd.Process.Kill()
			<-ended
			w.T.Errorf("serve did not end:\n%s", said.String())
		}
		cmd = nil
	}
	w.T.Cleanup(func() {
		stop()
		if w.T.Failed() {
			w.T.Logf("the log of serve:\n%s", said.String())
		}
	})
	return stop
}

// After a restart with a tenant that cannot be reached nothing is allowed from an old directory, and what is fresh
// enough goes on. The workspace's processes run through all of it.
func TestRestartedWithoutATenant(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	ws := w.Workspace(who, repository)
	s := sandboxOf(w, ws)
	// A program asks for the app all the time, and writes down what it is told.
	w.Must(who, ws, `setsid bash -c 'while :; do curl -s -m 5 http://127.0.0.1:7070/r/ledger/whoami >/workspace/.new; mv /workspace/.new /workspace/answer; sleep 0.1; done' >/dev/null 2>&1 &`)
	answer := func() string {
		b, _ := os.ReadFile(filepath.Join(w.Files(ws), "answer")) // not there yet is empty
		return string(b)
	}
	w.Eventually("the app answers", func() bool { return strings.Contains(answer(), "Ada Lovelace") })

	for _, c := range []struct {
		age     time.Duration
		allowed bool
	}{{time.Minute, true}, {10 * time.Minute, false}, {48 * time.Hour, false}, {2 * time.Minute, true}} {
		w.Kill()
		directoryIs(w, c.age)
		stop := serve(w)
		if now := sandboxOf(w, ws); now != s {
			t.Fatalf("the workspace is another: %+v, was %+v", now, s)
		}
		me, err := w.As(who).Me(w.Context())
		if c.allowed && (err != nil || me.Name != "Ada Lovelace") || !c.allowed && err == nil && len(me.Projects) > 0 {
			t.Errorf("with a directory %v old: %+v, %v", c.age, me, err)
		}
		if c.allowed {
			if out := soon(w, ws, "echo here"); out != "here\n" {
				t.Errorf("with a directory %v old a command says %q", c.age, out)
			}
			// Allowed, and then there is no such app: the sample world's names exist under dev only.
			w.Eventually("the app is allowed", func() bool { return strings.Contains(answer(), "ledger.example.test") })
		} else {
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			out, code, err := w.TryExec(ctx, who, ws, "echo here")
			cancel()
			if err == nil || out != "" {
				t.Errorf("with a directory %v old a command says %q, %d", c.age, out, code)
			}
			t.Logf("with a directory %v old: %v", c.age, err)
			w.Eventually("the app is refused", func() bool {
				return strings.Contains(answer(), "directory") && !strings.Contains(answer(), "example.test")
			})
			resp, err := w.As(who).Browser.HTTP().Get(ws.Terminal)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				t.Errorf("with a directory %v old the terminal's page answers %s", c.age, resp.Status)
			}
			list, err := w.As(who).Workspaces(w.Context())
			if err == nil && len(list) > 0 {
				t.Errorf("with a directory %v old there are %+v", c.age, list)
			}
		}
		stop()
		if len(s.processes()) < 2 {
			t.Fatalf("serve took the workspace with it: %v", s.processes())
		}
		w.Run()
		w.Eventually("the app answers again", func() bool { return strings.Contains(answer(), "Ada Lovelace") })
	}
	if now := sandboxOf(w, ws); now != s {
		t.Errorf("the workspace is another: %+v, was %+v", now, s)
	}
}
