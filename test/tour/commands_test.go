package tour

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// Every command against a real server: what it prints and how it ends.
func TestCommands(t *testing.T) {
	w := harness.Start(t)
	const repository = "https://git.example.test/payments/api"
	run := func(status int, args ...string) string {
		t.Helper()
		said := w.Lanyard(args...)
		if said.Status != status {
			t.Errorf("lanyard %s ended with %d, not %d\n%s%s", strings.Join(args, " "), said.Status, status, said.Out, said.Err)
		}
		return said.Out + said.Err
	}
	has := func(out string, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(out, word) {
				t.Errorf("no %q in\n%s", word, out)
			}
		}
	}

	has(run(0, "whoami"), "operator")
	has(run(0, "whoami", "--user", "barbara"), "Barbara Liskov", "payments-engineers (by payments-api-team)")
	has(run(2, "whoami", "--user", "nobody"), "no sample user", "ada")
	has(run(4, "whoami", "--user", "leo"), "leo", "disabled")
	has(run(3, "start", repository), "operator starts no workspaces", "--user")
	has(run(1, "start", repository, "--user", "mallory"), "There is no repository")
	has(run(2, "start", "https://git.example.test/x\x1b[2J", "--user", "ada"), "lanyard:")
	has(run(0, "list"), "No workspaces")

	lines := strings.Split(strings.TrimSpace(run(0, "start", repository, "--user", "ada", "--json")), "\n")
	var ws api.Workspace
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &ws); err != nil || ws.Phase != "running" {
		t.Fatalf("the last line of start --json is no running workspace: %v\n%s", err, lines[len(lines)-1])
	}
	var first api.Progress
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first.Text == "" {
		t.Errorf("the first line of start --json is no step: %v\n%s", err, lines[0])
	}
	has(run(0, "list"), ws.ID, "running", "Ada Lovelace")
	has(run(0, "list", "--user", "ada", "--json"), `"items":[{"id":"`+ws.ID)
	has(run(0, "logs", ws.ID), "git clone")
	has(run(0, "open", ws.ID, "--user", "ada"), ws.Terminal)
	run(3, "open", ws.ID)

	has(run(0, "exec", "--user", "ada", ws.ID, "--", "git", "config", "user.name"), "Ada Lovelace")
	run(7, "exec", "--user", "ada", ws.ID, "sh", "-c", "exit 7")
	run(126, "exec", ws.ID, "true")
	run(126, "exec", "--user", "linus", ws.ID, "true")
	run(126, "exec", "--user", "ada", "w-aaaaaaaaaaaaaaaa", "true")
	run(125, "exec", "--user", "ada", ws.ID, "no-such-program")
	run(3, "stop", ws.ID, "--user", "linus")
	has(run(0, "stop", ws.ID, "--user", "ada"), "files are kept")
	has(run(125, "exec", "--user", "ada", ws.ID, "true"), "stopped", "lanyard start "+ws.ID)
	has(run(0, "start", ws.ID, "--user", "ada"), "running")

	has(run(0, "why", "repo:write", repository, "--user", "linus"), "deny", "viewer", "payments-viewers")
	has(run(0, "why", "repo:write", repository, "--user", "ada", "--json"), `"decision":"allow"`, "developers-write")
	has(run(0, "why", "repo:write", repository, "--user", "mallory"), "deny")
	has(run(0, "leases", "--json"), `"open":`)
	has(run(0, "leases"), "LEASE")
	has(run(0, "revoke", "user", "ada"), "ended")
	has(run(2, "revoke", "lease", "w-aaaaaaaaaaaaaaaa"), "l-")
	run(1, "revoke", "lease", "l-aaaaaaaaaaaaaaaa")
	has(run(0, "delete", ws.ID), "deleted")
	run(1, "delete", "w-aaaaaaaaaaaaaaaa")

	has(run(0, "audit", "tail", "-n", "500"), "workspace:create", "Ada Lovelace")
	has(run(0, "audit", "search", "--user", "linus", "--json"), `"outcome":"denied"`)
	has(run(0, "audit", "export"), `"action":"signin"`)
	has(run(0, "audit", "verify"), "consistent")
	checkpoints := filepath.Join(w.Data, "checkpoints")
	has(run(0, "audit", "verify", "--data", w.Data), "completeness unproven")
	w.Stop()
	has(run(0, "audit", "verify", "--data", w.Data, "--checkpoint", checkpoints, "--json"), `"ok":true`, "consistent and complete")
	has(run(1, "audit", "verify", "--data", w.Data, "--checkpoint", checkpoints+"-not-there"), "no such file")
	has(run(1, "list"), "No server runs here", "lanyard dev")
}
