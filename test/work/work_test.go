// Package work tests the main job as a developer meets it: sign in, open a workspace, clone, commit, push, call.
package work

import (
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestMainJob(t *testing.T) {
	w := harness.Start(t)
	me, err := w.As("ada").Me(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	if me.Name != "Ada Lovelace" || len(me.Projects) != 1 || me.Projects[0].Role != "developer" || me.Projects[0].Via != "payments-engineers" {
		t.Errorf("me: %+v", me)
	}
	ws := w.Workspace("ada", "https://git.example.test/payments/api")
	if out := w.Must("ada", ws, "git log --format='%an %s' && pwd"); !strings.Contains(out, "Ada Lovelace Begin the payments API") || !strings.Contains(out, "/workspace/api") {
		t.Errorf("git log:\n%s", out)
	}
	out := w.Must("ada", ws, `set -e; echo hello > hello.txt; git add hello.txt; git commit -qm "Say hello"; git push origin HEAD 2>&1; git log -1 --format='%an <%ae>'`)
	if !strings.Contains(out, "Ada Lovelace <ada@contoso.example>") {
		t.Errorf("the author:\n%s", out)
	}
	w.Must("ada", ws, `set -e; head -c 20000000 /dev/urandom > big.bin; git add big.bin; git commit -qm "Something big"; git push origin HEAD 2>&1`)
	log, err := os.ReadFile(w.Info.GitLog)
	if err != nil {
		t.Fatal(err)
	}
	pushes := 0
	for line := range strings.SplitSeq(string(log), "\n") {
		if strings.Contains(line, "push payments/api refs/heads/main") && strings.Contains(line, "Ada Lovelace") {
			pushes++
		}
	}
	if pushes != 2 {
		t.Errorf("the upstream's log names Ada's pushes %d times:\n%s", pushes, log)
	}
	if out := w.Must("ada", ws, "curl -sf http://127.0.0.1:7070/r/ledger/whoami"); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("the API says %s", out)
	}
	if out := w.Must("ada", ws, "git clone -q https://legacy.example.test/payments/legacy /tmp/legacy && ls /tmp/legacy"); !strings.Contains(out, "README") {
		t.Errorf("legacy: %s", out)
	}
	if out, code := w.Exec("ada", ws, "git clone https://git.example.test/shop/web /tmp/web"); code == 0 || !strings.Contains(out, "There is no repository") {
		t.Errorf("another project's repository: %d %s", code, out)
	}
}
