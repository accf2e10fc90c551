package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const legacy = "https://legacy.example.test/payments/legacy"

// TestPrebuilds is what a project's page shows of its prebuilds, to whom it offers to run one, and what a workspace's page says of
// the one that it began with.
func TestPrebuilds(t *testing.T) {
	w := start(t)
	c := launch(t)
	git := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@contoso.example", "--git-dir", filepath.Join(w.Data, "legacy", "payments/legacy.git")}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	file := git("tasks: [{name: make, init: 'echo about to fail; exit 3'}]\n", "hash-object", "-w", "--stdin")
	git("", "update-ref", "refs/heads/broken", git("", "commit-tree", "-p", "main", "-m", "Broken", git("100644 blob "+file+"\t.gitpod.yml\n", "mktree")))
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "- url: "+legacy+"\n", "- url: "+legacy+"\n    prebuilds: {branches: [main, broken], push: false}\n", 1)
	if err := os.WriteFile(path, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}

	lead := c.home(w, "grace")
	w.Eventually("the project's file is in force", func() bool {
		lead.do(chromedp.Reload())
		lead.sees(id("repository"))
		return lead.has(id("to-prebuilds"))
	})
	lead.click(id("to-prebuilds"))
	lead.sees(id("project-page"))
	lead.click(id("run-prebuild"))
	lead.sees(id("prebuild") + `[data-state="done"]`)
	if said := w.Lanyard("prebuilds", "run", legacy+"/tree/broken", "--wait", "--user", "grace"); said.Status == 0 {
		t.Errorf("%+v", said)
	}
	failed := id("prebuild") + `[data-state="failed"]`
	lead.reads(failed+" "+id("prebuild-message"), "init failed with status 3")
	lead.click(failed + " " + id("prebuild-log"))
	lead.reads(failed+" "+id("prebuild-lines"), "about to fail")
	lead.sees(failed + " " + id("run-again"))
	lead.until("all that is pressed or read has a name", `[...document.querySelectorAll("button, summary, [role=log]")].every(e => (e.getAttribute("aria-label") || e.innerText).trim())`)
	lead.shot("1-project")
	lead.do(chromedp.EmulateViewport(360, 800))
	lead.until("nothing is wider than a telephone", `document.documentElement.scrollWidth <= innerWidth`)
	lead.shot("2-narrow")

	developer := c.home(w, "ada")
	developer.open(w.Info.URL + "/#/project/payments")
	developer.sees(id("prebuild") + `[data-state="done"]`)
	if developer.has(id("run-prebuild")) || developer.has(id("run-again")) {
		t.Error("a developer is offered to run one")
	}
	ws := w.Workspace("ada", legacy)
	developer.open(w.Info.URL + "/#/workspace/" + ws.ID)
	developer.reads(id("from-prebuild"), ws.Prebuild)
	developer.shot("3-workspace")
	if ws.Prebuild == "" {
		t.Error("the workspace began with none")
	}
}
