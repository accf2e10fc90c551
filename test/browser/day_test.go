package browser

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// TestDay is a day in the life of a workspace: opened by a merge request's address, it runs the repository's tasks, times out,
// comes back with all that was in it, pushes, and closes with its owner's group. The owner is disabled: the workspace stops and
// keeps its files, which an administrator alone takes out.
func TestDay(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("waits a minute for a workspace that nobody uses to stop: set LANYARD_SLOW=1 (make test-all)")
	}
	w := start(t)
	const request = paymentsAPI + "/pull/7" // of the branch refunds
	c := launch(t)
	b := c.profile()

	// Morning: the link names what it would start, and starts nothing by itself.
	b.open(w.Info.URL + "/#TICKET=PAY-42/" + request)
	b.click(id("sign-in"))
	b.atTenant("ada", password(t, w, "ada"))
	b.reads(id("confirm-repository"), "git.example.test/payments/api")
	b.reads(id("confirm-ref"), "merge request 7")
	b.reads(id("confirm-variables"), "TICKET=PAY-42")
	if all, err := w.As("ada").Workspaces(w.Context()); err != nil || len(all) != 0 {
		t.Errorf("before a click there are workspaces: %+v %v", all, err)
	}
	b.shot("1-confirm")
	b.click(id("confirm-start"))
	b.terminal()
	b.shell("git status -sb && echo $TICKET", "## refunds...origin/refunds")
	all, err := w.As("ada").Workspaces(w.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("her workspaces: %+v %v", all, err)
	}
	ws := all[0]
	short := "1m" // the least there is
	if _, err := w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Timeout: &short}); err != nil {
		t.Fatal(err)
	}

	home := b.another()
	home.open(w.Info.URL + "/#/workspace/" + ws.ID)
	home.sees(id("task") + `[data-task="task-1"][data-state="done"]`)
	home.shot("2-tasks")
	b.front()
	b.shell("echo 'package refund // begun' > refund/begun.go && echo 'not yet' > notes.txt && git add refund && git commit -qm 'Go on with refunds' && echo made", "made")
	b.shell("echo at home > ~/kept.txt; gp info | grep context", "pull/7")
	b.shot("3-edited")

	// Noon: nobody is there. The page says that it stops, and then that it has.
	b.expect(`WebSocket connection to .* failed`, ` (403|503) .*//t-`)
	home.front()
	home.reads(id("workspace-message"), "This workspace stops in")
	home.sees(id("workspace-page") + `[data-phase="stopped"]`)
	home.reads(id("workspace-message"), "Holds work that is not pushed.")
	home.reads(id("progress-line"), "nobody used it for 1m.")
	home.shot("4-timed-out")
	if said := w.Lanyard("list"); !strings.Contains(said.Out, "stopped") || !strings.Contains(said.Out, "has work that is not pushed") {
		t.Errorf("the list: %+v", said)
	}

	// Afternoon: back, and all there.
	if said := w.Lanyard("timeout", ws.ID, "30m", "--user", "ada"); said.Status != 0 || !strings.Contains(said.Out, "30m") {
		t.Errorf("lanyard timeout: %+v", said)
	}
	home.click(id("resume"))
	home.sees(id("workspace-page") + `[data-phase="running"]`)
	home.sees(id("task") + `[data-task="task-1"][data-state="done"]`)
	home.click(id("open-terminal"))
	again := home.opened("http://t-")
	again.terminal()
	again.shell("cat notes.txt ~/kept.txt && git log -1 --format=%s && echo $TICKET", "Go on with refunds")
	again.shell("git push -q && git status -sb", "## refunds...origin/refunds")
	again.shot("5-back")
	if said := git(t, filepath.Join(w.Data, "git", "payments", "api.git"), "log", "-1", "--format=%an %s", "refs/heads/refunds"); said != "Ada Lovelace Go on with refunds" {
		t.Errorf("pushed: %q", said)
	}
	if said := w.Lanyard("exec", ws.ID, "--user", "ada", "--", "cat", "notes.txt"); said.Out != "not yet\n" || said.Status != 0 {
		t.Errorf("lanyard exec: %+v", said)
	}

	// Evening: the group goes, and with it what it opened; nothing is stopped or lost.
	tenant := w.Tenant()
	ada, engineers := tenant.User("ada"), tenant.Group("payments-engineers")
	again.expect(` 403 .*//t-`, `WebSocket connection to .* failed`)
	tenant.Remove(engineers, ada)
	again.sees(id("terminal-status") + `[data-state="refused"]`)
	again.reads(id("terminal-reason"), "payments-engineers")
	again.shot("6-closed")
	if _, code, err := w.TryExec(w.Context(), "ada", ws, "true"); err == nil {
		t.Errorf("without the group she runs something: %d", code)
	}
	tenant.Add(engineers, ada)
	w.Eventually("with the group she is back", func() bool {
		out, code, err := w.TryExec(w.Context(), "ada", ws, "cat notes.txt")
		return err == nil && code == 0 && out == "not yet\n"
	})

	// Night: the account is disabled.
	tenant.Enable(ada, false)
	w.Eventually("the workspace is stopped", func() bool {
		now, err := w.Operator.Workspace(w.Context(), ws.ID)
		return err == nil && now.Phase == "stopped"
	})
	home.expect(` (401|403|404) .*/api/v1/`)
	var out bytes.Buffer
	for _, who := range []string{"grace", "barbara"} { // a maintainer, a colleague
		if err := w.As(who).ExportWorkspace(w.Context(), ws.ID, &out); err == nil {
			t.Errorf("%s takes the files", who)
		}
	}
	file := filepath.Join(t.TempDir(), "left.tar")
	if said := w.Lanyard("export", ws.ID, "--output", file); said.Status == 0 {
		t.Errorf("the operator takes the files: %+v", said)
	}
	if said := w.Lanyard("export", ws.ID, "--output", file, "--user", "margaret"); said.Status != 0 {
		t.Fatalf("an administrator: %+v", said)
	}
	notes, err := exec.CommandContext(t.Context(), "tar", "-xOf", file, "workspace/api/notes.txt").Output()
	if err != nil || string(notes) != "not yet\n" {
		t.Errorf("what was exported has notes %q %v", notes, err)
	}
}

// git is what git says in a folder, as nobody.
func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
