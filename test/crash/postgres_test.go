package crash

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

// The same on PostgreSQL, by `lanyard audit verify --database`.
func TestTamperingIsFoundOnPostgreSQL(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	address := storetest.PostgreSQL(t)
	checkpoints := logOnPostgreSQL(t, w, address)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := evidence{T: t, DB: db}
	verify := func(what, without, with, finds string) {
		t.Helper()
		for _, v := range []struct {
			args []string
			want string
		}{{nil, without}, {[]string{"--checkpoint", checkpoints}, with}} {
			status, finding := 0, ""
			if v.want == broken {
				status, finding = 1, finds
			}
			said := w.Lanyard(append([]string{"audit", "verify", "--database", address}, v.args...)...)
			if said.Status != status || !strings.Contains(said.Out, v.want) || !strings.Contains(said.Out, finding) {
				t.Errorf("%s: audit verify %v ended with %d, want %d, %q and %q:\n%s%s", what, v.args, said.Status, status, v.want, finding, said.Out, said.Err)
			}
		}
	}
	verify("nothing", unproven, complete, "")

	a, b := e.body(1), e.body(3)
	forged := append([]byte{}, a...)
	forged[len(forged)/2] ^= 1
	e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 1`, forged)
	verify("a byte of an event", broken, broken, "changed")
	e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 1`, b)
	e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, a)
	verify("two events swapped", broken, broken, "what was signed as event")
	e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 1`, a)
	e.change(`UPDATE audit_entries SET leaf = $1 WHERE seq = 3`, b)
	verify("everything put back", unproven, complete, "")

	e.change(`CREATE TABLE kept AS SELECT * FROM audit_entries WHERE seq = 2`)
	e.change(`DELETE FROM audit_entries WHERE seq = 2`)
	verify("an event dropped", broken, broken, "missing")
	e.change(`INSERT INTO audit_entries SELECT * FROM kept`)

	size := e.earlier(1)
	e.change(`DELETE FROM audit_entries WHERE seq >= $1`, size)
	e.change(`DELETE FROM audit_hashes WHERE idx >= $1`, tlog.StoredHashCount(size))
	verify("the end cut off", broken, broken, "cut off the end")
	e.renumber(size)
	e.change(`DELETE FROM audit_checkpoints WHERE size > $1`, size)
	verify("the end cut off with its checkpoints", unproven, broken, "cut off the end")
}

// logOnPostgreSQL runs a server on a database until there are a few entries, and returns the copied checkpoints.
func logOnPostgreSQL(t *testing.T, w *harness.World, address string) (checkpoints string) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"key": base64.StdEncoding.EncodeToString(token.NewSealingKey()), "database": address, "projects/shop.yaml": "project: shop\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tenant, err := url.Parse(w.Info.Tenant.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	stop := serving(w, fmt.Sprintf(`
url: http://lanyard.localhost:%d
listen: 127.0.0.1:%[1]d
data: %[2]s
database_file: %[3]s/database
encryption_key_file: %[3]s/key
entra:
  tenant: %[4]s
  client_id: %[5]s
  credential: {secret_file: %[6]s/secrets/client-secret}
  graph: %[7]s
  authority: %[8]s
audit: {checkpoints: %[3]s/checkpoints}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
`, harness.FreePort(t), data, folder, strings.Split(tenant.Path, "/")[1], entrasim.LanyardAppID, w.Data, w.Info.Tenant.Graph,
		tenant.Scheme+"://"+tenant.Host))
	operator := remote.Socket(filepath.Join(data, "lanyard.sock"))
	defer operator.Close()
	entries := func() int {
		page, err := operator.Audit(w.Context(), api.AuditQuery{Limit: 100})
		if err != nil {
			return 0
		}
		return len(page.Items)
	}
	w.Eventually("the directory is read", func() bool { return entries() >= 2 })
	for range 3 {
		before := entries()
		if _, err := operator.Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"}); err != nil {
			t.Fatal(err)
		}
		w.Eventually("it is in the log", func() bool { return entries() > before })
	}
	stop()
	return filepath.Join(folder, "checkpoints")
}
