package replicas

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// lanyard runs a command of the program.
func (w *world) lanyard(args ...string) (out string, ok bool) {
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	text, err := exec.CommandContext(w.context(), filepath.Join(bin, "lanyard"), args...).CombinedOutput()
	return string(text), err == nil
}

// TestBackupAndRestore copies a running installation into a new one on the other database.
func TestBackupAndRestore(t *testing.T) {
	w := newWorld(t)
	for _, pair := range [][2]string{{"postgresql", "sqlite"}, {"sqlite", "postgresql"}} {
		from, to := pair[0], pair[1]
		t.Run(from+" to "+to, func(t *testing.T) {
			w.TB = t
			w.database = storetest.PostgreSQL(t)
			address := func(kind string) string {
				if kind == sqlite {
					return sqlite
				}
				return w.database
			}
			checkpoints := filepath.Join(w.dir, "checkpoints-"+from)
			a := w.start("from-"+from, options{database: address(from), more: "audit: {checkpoints: " + checkpoints + "}"})
			ada := w.signIn(a, "ada")
			complete := func(beyond int64) (size int64) {
				w.eventually("the log is complete", func() bool {
					v, err := a.Operator.VerifyAudit(w.context())
					size = v.Size
					return err == nil && v.OK && v.Complete && size > beyond
				})
				return size
			}
			complete(2)
			copied, err := os.ReadFile(checkpoints)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(w.dir, "backup-"+from)
			if out, ok := w.lanyard("backup", "--config", a.config, "--to", file); !ok {
				t.Fatalf("backup: %s", out)
			}
			saved := complete(2) // at least what the backup holds
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the backup's mode: %v %v", info.Mode(), err)
			}
			if out, ok := w.lanyard("backup", "--config", a.config, "--to", file); ok || !strings.Contains(out, "there already") {
				t.Errorf("a backup was written over: %s", out)
			}
			if out, ok := w.lanyard("restore", "--config", a.config, "--from", file); ok || !strings.Contains(out, "Stop it first") {
				t.Errorf("restored under a running server: %s", out)
			}
			w.signIn(a, "grace")
			complete(saved)
			a.end(syscall.SIGTERM)
			if out, ok := w.lanyard("restore", "--config", a.config, "--from", file); ok || !strings.Contains(out, "not empty") {
				t.Errorf("restored over data: %s", out)
			}
			b := w.prepare("to-"+to, options{database: address(to), more: "audit: {checkpoints: " + w.write("copied-"+to, string(copied)) + "}"})
			if out, ok := w.lanyard("restore", "--config", b.config, "--from", file); !ok || !strings.Contains(out, "sign in again") {
				t.Fatalf("restore: %s", out)
			}
			b.run()
			if status, _ := w.get(b, ada, "/api/v1/me"); status != http.StatusUnauthorized {
				t.Errorf("a session of the backup answers %d", status)
			}
			ada = w.signIn(b, "ada")
			w.eventually("ada has her role", func() bool {
				_, body := w.get(b, ada, "/api/v1/me")
				return strings.Contains(body, "payments")
			})
			w.eventually("the restored log is in order", func() bool {
				v, err := b.Operator.VerifyAudit(w.context())
				return err == nil && v.OK
			})
			events, err := b.Operator.SignIns(w.context(), "*")
			if err != nil || len(events) == 0 {
				t.Errorf("%v %v", events, err)
			}
			w.eventually("the log says that data was restored", func() bool {
				out, ok := w.lanyard("audit", "search", "--socket", filepath.Join(b.data, "lanyard.sock"), "--action", "data:restore", "--json")
				return ok && strings.Contains(out, "data:restore")
			})
			b.end(syscall.SIGTERM)
			if to == sqlite { // what happened after the backup is missing, and the checkpoints of that time say so
				if out, ok := w.lanyard("audit", "verify", "--data", b.data, "--checkpoint", checkpoints); ok {
					t.Errorf("a log without its end passes: %s", out)
				}
			}
		})
	}
}

// TestKeysRotate rotates the keys of two running replicas; a rotation that was cut off goes on.
func TestKeysRotate(t *testing.T) {
	w := newWorld(t)
	a := w.start("a", options{})
	b := w.start("b", options{})
	ada := w.signIn(a, "ada")
	old, err := os.ReadFile(w.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	published := func(r *replica) int {
		_, body := w.get(r, ada, "/oauth/jwks")
		var set struct{ Keys []any }
		if err := json.Unmarshal([]byte(body), &set); err != nil {
			return 0
		}
		return len(set.Keys)
	}
	before := published(b)
	out, ok := w.lanyard("keys", "rotate", "--config", a.config)
	if !ok {
		t.Fatalf("keys rotate: %s", out)
	}
	now, err := os.ReadFile(w.keyFile)
	if err != nil || strings.Count(string(now), "\n") != 1 || string(now) == string(old) {
		t.Errorf("the key file has %d lines, %v", strings.Count(string(now), "\n"), err)
	}
	for _, r := range []*replica{a, b} {
		if status, _ := w.get(r, ada, "/api/v1/me"); status != http.StatusOK {
			t.Errorf("%s answers %d after the rotation", r.name, status)
		}
		w.eventually("the new signing keys are published at "+r.name, func() bool { return published(r) > before })
	}
	if n := w.rows(`SELECT COUNT(*) FROM sign_ins WHERE refresh <> '' AND ended = 0`); n == 0 {
		t.Error("there is no refresh token to look at")
	}
	// Only the new key: everything opens.
	a.end(syscall.SIGKILL)
	a.run()
	if status, _ := w.get(a, ada, "/api/v1/me"); status != http.StatusOK {
		t.Errorf("with the new key alone: %d", status)
	}
	// Cut off at any step, both keys are in the file, and the same command finishes.
	if out, ok := w.lanyard("keys", "rotate", "--config", a.config); !ok {
		t.Errorf("again: %s", out)
	}
	if _, err := b.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"}); err != nil {
		t.Error(err)
	}
}
