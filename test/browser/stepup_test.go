package browser

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// demandContext makes pushes take the authentication context c1.
func demandContext(w *harness.World) {
	w.T.Helper()
	folder := filepath.Join(w.Data, "policies")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.T.Fatal(err)
	}
	policy := `@id("c1-push") @step_up("c1") forbid (principal, action == Action::"repo:write", resource)
unless { context.contexts.contains("c1") };
`
	if err := os.WriteFile(filepath.Join(folder, "c1.cedar"), []byte(policy), 0o644); err != nil {
		w.T.Fatal(err)
	}
	w.Eventually("the policy is in force", func() bool {
		why, err := w.Operator.Why(w.Context(), "repo:write", paymentsAPI, "ada")
		return err == nil && why.Decision == "step up"
	})
}

var stepUpLink = regexp.MustCompile(`http://lanyard\.localhost:[0-9]+/step-up\?code=[A-Z-]+`)

// TestStepUp: a push is refused with a link; its page says what asked; after signing in again the same command works. What
// somebody else prints into a terminal lifts nothing of theirs.
func TestStepUp(t *testing.T) {
	w := start(t)
	c := launch(t)
	b := c.home(w, "ada")
	demandContext(w)
	page := b.another()
	b.startFromList(paymentsAPI)
	b.shell("git commit -q --allow-empty -m One && ! git push 2>/tmp/said; grep -c step-up /tmp/said", "1")
	b.press("cat /tmp/said\r")
	b.screen("step-up?code=")
	b.shot("1-refused")
	label, _, _ := strings.Cut(strings.TrimPrefix(b.location(), "http://t-"), ".")
	said, status := w.Exec("ada", api.Workspace{ID: "w-" + label}, "cat /tmp/said")
	link := stepUpLink.FindString(said)
	if status != 0 || link == "" {
		t.Fatalf("no link in what git said: %s", said)
	}

	// The link works for whoever asked, and for nobody else: not for a colleague who is made to open it.
	barbara := c.home(w, "barbara")
	barbara.expect(` 400 .*/step-up`)
	barbara.open(link)
	barbara.seesNo(id("step-up-go"))
	if strings.Contains(barbara.text("body"), "payments") {
		t.Errorf("barbara is shown what ada asked for: %s", barbara.text("body"))
	}
	barbara.shot("2-somebody-else")

	// Her opening it may have spent nothing of Ada's.
	page.open(link)
	page.reads(id("step-up-action"), "repo:write")
	page.reads(id("step-up-resource"), "payments/api")
	page.reads(id("step-up-workspace"), "your workspace")
	page.shot("3-asked")
	page.click(id("step-up-go"))
	page.sees("#password") // the tenant wants to know again
	page.atTenant("ada", password(t, w, "ada"))
	page.sees(id("step-up-done"))
	page.shot("4-allowed")
	b.front()
	b.shell("git push", "main -> main")
	b.shot("5-pushed")

	// The link was good once.
	page.expect(` 400 .*/step-up`)
	page.open(link)
	page.seesNo(id("step-up-go"))
	page.shot("6-spent")
}

// TestStepUpByCode: where no browser is, the code is typed into one elsewhere; and who did not ask says so.
func TestStepUpByCode(t *testing.T) {
	w := start(t)
	c := launch(t)
	ws := w.Workspace("ada", paymentsAPI)
	demandContext(w)
	refused := func() (code string) {
		said, status := w.Exec("ada", ws, "git commit -q --allow-empty -m One && git push 2>&1")
		if status == 0 {
			t.Fatalf("the push went through: %s", said)
		}
		_, code, ok := strings.Cut(stepUpLink.FindString(said), "code=")
		if !ok {
			t.Fatalf("no code in: %s", said)
		}
		return code
	}
	b := c.home(w, "ada")
	b.open(w.Info.URL + "/step-up")
	b.fill("#code", strings.ToLower(refused()))
	b.click("form .button")
	b.reads(id("step-up-workspace"), ws.ID)
	b.shot("1-code")
	b.click(id("step-up-no"))
	b.sees(id("step-up-not"))
	b.shot("2-not-me")

	b.open(w.Info.URL + "/step-up")
	b.fill("#code", refused())
	b.click("form .button")
	b.click(id("step-up-go"))
	b.atTenant("ada", password(t, w, "ada"))
	b.sees(id("step-up-done"))
	w.Must("ada", ws, "git push 2>&1")
}
