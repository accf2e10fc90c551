package browser

import (
	"os"
	"strings"
	"testing"
)

// TestMainJob is what a developer does first: from a context URL to a push that names them.
func TestMainJob(t *testing.T) {
	w := start(t)
	c := launch(t)
	b := c.profile()

	b.open(w.Info.URL + "/#" + paymentsAPI)
	b.reads(id("sign-in-context"), paymentsAPI)
	b.shot("1-signed-out")
	b.click(id("sign-in"))
	b.sees(`a[data-user="ada@contoso.example"]`)
	b.shot("2-tenant")
	b.atTenant("ada", password(t, w, "ada"))

	b.sees(id("confirm-start"))
	if repository, ref := b.text(id("confirm-repository")), b.text(id("confirm-ref")); repository != "git.example.test/payments/api" || ref != "default branch" {
		t.Errorf("to be confirmed: %s at %s", repository, ref)
	}
	if at := b.location(); !strings.HasSuffix(at, "/#"+paymentsAPI) {
		t.Errorf("the context URL was lost: %s", at)
	}
	b.shot("3-confirm")
	b.click(id("confirm-start"))
	b.sees(id("progress-line"))
	b.shot("4-progress")

	// The terminal opens by itself, on a site of its own.
	b.terminal()
	if at := b.location(); !strings.HasPrefix(at, "http://t-") || strings.Contains(at, "code=") {
		t.Errorf("the terminal is at %s", at)
	}
	b.shot("5-terminal")
	b.press("git log\r")
	b.screen("Begin the payments API")
	b.shot("6-git-log")
	b.shell("pwd", "/workspace/api")
	b.shell("echo hi > hi.txt && git add hi.txt && git commit -qm Hi && git push -q && git status -sb", "## main")
	b.shell("head -c 20000000 /dev/urandom > big && git add big && git commit -qm Big && git push", "main -> main")
	b.shell("git log -1 --format='%an <%ae>'", "Ada Lovelace <ada@contoso.example>")
	b.shell("curl -s http://127.0.0.1:7070/r/ledger/whoami", "Ada Lovelace")
	b.shot("7-pushed")

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
}
