package commands

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// says fails unless a command ends with a status and says all of the words.
func says(t *testing.T, l *harness.Laptop, status int, words []string, args ...string) string {
	t.Helper()
	out, got := l.Run(args...)
	if got != status {
		t.Errorf("lanyard %s: %d, not %d\n%s", strings.Join(args, " "), got, status, out)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("lanyard %s does not say %q:\n%s", strings.Join(args, " "), word, out)
		}
	}
	return out
}

// Every command works from a person's own machine as that person, and scripts can tell how it ended.
func asAPerson(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "ada").SignIn()
	says(t, l, 0, []string{"Ada Lovelace", "signed in", "until", "(cli on ", "developer"}, "whoami")

	for what, words := range map[string]string{ // of which no workspace is left to delete, as the list below shows
		"/tree/nope": "There is no branch or tag nope", "/pull/99": "There is no merge request 99", "/commit/" + strings.Repeat("12", 20): "There is no commit 1212",
	} {
		says(t, l, 1, []string{words, "No workspace was made."}, "start", payments+what)
	}
	says(t, l, 1, []string{"no nope.yml", ".gitpod.yml", "No workspace was made."}, "start", payments, "--file", "nope.yml")
	out := says(t, l, 0, []string{"running"}, "start", payments)
	if strings.ContainsAny(out, "\r\x1b") {
		t.Errorf("progress that is no plain lines, though nobody looks at a terminal: %q", out)
	}
	list := parsed[api.Page[api.Workspace]](t, l.Must("list", "--json")).Items
	if len(list) != 1 {
		t.Fatalf("workspaces: %+v", list)
	}
	ws := list[0].ID
	says(t, l, 0, []string{"on this machine"}, "exec", ws, "--", "echo", "on this machine")
	says(t, l, 7, nil, "exec", ws, "--", "sh", "-c", "exit 7")
	says(t, l, 0, []string{w.Info.URL[:7]}, "open", ws)
	says(t, l, 0, []string{"git clone"}, "logs", ws)
	w.Eventually("the task of the repository's file is done", func() bool { return strings.Contains(l.Must("logs", ws, "--tasks"), "done") })
	says(t, l, 0, []string{"# Payments API"}, "logs", ws, "--task", "hello")
	says(t, l, 1, []string{"no task", "--tasks"}, "logs", ws, "--task", "none")
	says(t, l, 0, []string{"allow", "developer"}, "why", "repo:write", payments)
	says(t, l, 0, nil, "leases")
	says(t, l, 0, []string{payments, "repo:write", "payments/ledger", "app:call"}, "access")
	says(t, l, 0, nil, "grants", "--json")
	says(t, l, 3, []string{"Not allowed"}, "whatif", "--disable", "linus")
	says(t, l, 3, []string{"Not allowed"}, "access", "--user", "linus@contoso.example")
	says(t, l, 3, []string{"Not allowed"}, "why", "repo:read", payments, "--user", "linus@contoso.example")
	if own := says(t, l, 0, []string{"workspace:create"}, "audit", "tail"); strings.Contains(own, "Linus") {
		t.Errorf("the log of others: %s", own)
	}
	says(t, l, 1, []string{"There is no"}, "stop", "w-aaaaaaaaaaaaaaaa")
	says(t, l, 126, nil, "exec", "w-aaaaaaaaaaaaaaaa", "--", "true")
	says(t, l, 2, []string{"did you mean start?"}, "strat", payments)
	for _, args := range [][]string{{"list"}, {"leases"}, {"sessions"}, {"grants"}, {"requests"}, {"access"}, {"projects"}, {"whoami"}, {"contexts"}, {"logs", ws}, {"logs", ws, "--tasks"}, {"why", "repo:read", payments}} {
		parsed[any](t, l.Must(append(args, "--json")...))
	}
	says(t, l, 0, []string{"its files are kept"}, "stop", ws)
	says(t, l, 1, []string{"does not run"}, "logs", ws, "--tasks")
	says(t, l, 0, []string{"running"}, "start", ws)
	says(t, l, 0, []string{"deleted"}, "delete", ws)
	says(t, l, 0, []string{"signed out"}, "logout")
	says(t, l, 4, []string{"lanyard login"}, "list", "--context", w.Info.URL)
	said, status := l.Login(harness.Address, func(to string) {
		if !strings.Contains(to, "max_age=120") {
			t.Errorf("a fresh sign-in is not asked for: %s", to)
		}
		l.Answer(to, "on")
	}, "--no-browser", "--fresh")
	if status != 0 {
		t.Errorf("login --fresh: %d %s", status, said)
	}
	says(t, l, 0, []string{"Ada Lovelace"}, "whoami")
}

// Ctrl-C ends at the server what it interrupts here.
func interrupted(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "grace").SignIn()
	ws := w.Workspace("grace", payments)
	cmd := l.Command("exec", ws.ID, "--", "sh", "-c", "echo $$ > /tmp/running; exec sleep 1000")
	status := started(t, cmd)
	w.Eventually("the command runs", func() bool {
		_, code := w.Exec("grace", ws, "test -s /tmp/running && kill -0 $(cat /tmp/running)")
		return code == 0
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != 125 {
		t.Errorf("an interrupted exec ended with %d", got)
	}
	w.Eventually("the command has ended in the workspace", func() bool {
		_, code := w.Exec("grace", ws, "kill -0 $(cat /tmp/running)")
		return code != 0
	})
}

// started starts a command, and tells its exit status when it has ended.
func started(t *testing.T, cmd *exec.Cmd) <-chan int {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	end := time.AfterFunc(harness.Wait, func() { _ = cmd.Process.Kill() }) // gone already is as good
	go func() {
		_ = cmd.Wait() // how it ended is its exit status
		end.Stop()
		status <- cmd.ProcessState.ExitCode()
	}()
	return status
}

// Completion asks the server as the person, and each shell gets its script.
func completion(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "barbara").SignIn()
	says(t, l, 0, []string{payments, "a new workspace, in project payments"}, "__complete", "start", "")
	says(t, l, 0, []string{"payments/ledger"}, "__complete", "why", "app:call", "")
	says(t, l, 0, []string{"s-", "cli"}, "__complete", "sessions", "end", "")
	says(t, l, 0, []string{"lanyard.localhost"}, "__complete", "--context", "")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := l.Must("completion", shell)
		if !strings.Contains(script, "__complete") {
			t.Errorf("the script for %s: %.200s", shell, script)
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(script)
			if said, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s does not take its script: %v\n%s", shell, err, said)
			}
		}
	}
}

// A group goes: the next command says why, and ends as a denial does.
func aGroupGoes(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "barbara").SignIn()
	says(t, l, 0, []string{payments}, "access")
	tenant := w.Tenant()
	tenant.Remove(tenant.Group("payments-api-team"), tenant.User("barbara"))
	w.Eventually("the group is gone", func() bool {
		out, _ := l.Run("access")
		return !strings.Contains(out, payments)
	})
	says(t, l, 1, []string{"There is no"}, "start", payments)
	says(t, l, 0, []string{"deny"}, "why", "repo:read", payments)
}
