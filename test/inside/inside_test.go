// Package inside tests what the commands in a workspace and those outside say and do about a workspace: variables, timeout,
// snapshots, and what it is.
package inside

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const repository = "https://git.example.test/payments/api"

// restart stops and starts a workspace.
func restart(t *testing.T, w *harness.World, who string, ws api.Workspace) {
	t.Helper()
	r := w.As(who)
	for _, want := range []string{"stopped", "running"} {
		var err error
		if want == "stopped" {
			_, err = r.StopWorkspace(w.Context(), ws.ID)
		} else {
			_, err = r.StartWorkspace(w.Context(), ws.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.Eventually("the workspace is "+want, func() bool {
			now, err := r.Workspace(w.Context(), ws.ID)
			return err == nil && now.Phase == want
		})
	}
}

// change writes the file of the project payments anew.
func change(t *testing.T, w *harness.World, old, new string) {
	t.Helper()
	file := filepath.Join(w.Info.Projects, "payments.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), old, new, 1)
	if with == string(text) {
		t.Fatalf("the sample project has no %q", old)
	}
	if err := os.WriteFile(file, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestInside(t *testing.T) {
	w := harness.Start(t)
	lanyard := func(args ...string) harness.Said {
		t.Helper()
		return w.Lanyard(append(args, "--user", "ada")...)
	}
	for _, args := range [][]string{
		{"env", "set", "EVERYWHERE=mine", "WHO=mine"},
		{"env", "set", "--repository", repository, "HERE=a b'c"},
		{"env", "set", "--secret", "TOKEN=correct-horse"},
	} {
		if said := lanyard(args...); said.Status != 0 || strings.Contains(said.Out+said.Err, "correct-horse") {
			t.Fatalf("%v: %+v", args, said)
		}
	}
	if said := lanyard("env", "set", "--project", "payments", "WHO=project"); said.Status != 3 || !strings.Contains(said.Err, "maintainer") {
		t.Errorf("a developer sets the project's: %+v", said)
	}
	if said := w.Lanyard("env", "set", "--project", "payments", "WHO=project", "SHARED=project", "--user", "grace"); said.Status != 0 {
		t.Fatalf("a maintainer: %+v", said)
	}
	if said := lanyard("env", "list", "--json"); !strings.Contains(said.Out, `"name":"TOKEN","value":"","secret":true`) {
		t.Errorf("list: %+v", said)
	}
	ws := w.Workspace("ada", repository)
	if out := w.Must("ada", ws, "echo $EVERYWHERE $WHO $HERE $SHARED [$TOKEN]"); out != "mine mine a b'c project []\n" {
		t.Errorf("the environment: %q", out)
	}

	t.Run("Info", func(t *testing.T) {
		var info agentapi.OwnInfo
		if err := json.Unmarshal([]byte(w.Must("ada", ws, "gp info --json")), &info); err != nil {
			t.Fatal(err)
		}
		if info.ID != ws.ID || info.Repository != repository || info.Project != "payments" || info.Class == "" || info.Limits.Memory == 0 || info.URL != ws.Terminal || info.Timeout.Stops.IsZero() {
			t.Errorf("%+v", info)
		}
		if out := w.Must("ada", ws, "lanyard info"); !strings.Contains(out, ws.ID) || !strings.Contains(out, "30m without use") {
			t.Errorf("info: %s", out)
		}
		if out := w.Must("ada", ws, "lanyard user-info --email; gp user-info"); !strings.HasPrefix(out, "ada@contoso.example\n") || !strings.Contains(out, "developer") {
			t.Errorf("user-info: %s", out)
		}
		if out := w.Must("ada", ws, "gp url; gp url 3000 2>/dev/null; gp open README.md && gp preview http://x 2>&1"); !strings.HasPrefix(out, ws.Terminal+"\n") || !strings.Contains(out, "//3000-") {
			t.Errorf("url: %s", out)
		}
		// Neither a browser in the workspace nor anybody on the network gets there.
		if out := w.Must("ada", ws, "curl -s http://127.0.0.1:7070/workspace/env -o /dev/null -w %{http_code}"); out != "404" {
			t.Errorf("at the loopback address: %s", out)
		}
		if err := w.As("ada").Do(w.Context(), "GET", "/../../workspace/env", nil, nil, nil); err == nil {
			t.Error("at the pages' address")
		}
		if out, code := w.Exec("ada", ws, "lanyard url 70000"); code != 2 {
			t.Errorf("a wrong port: %d %s", code, out)
		}
	})

	t.Run("Timeout", func(t *testing.T) {
		out := w.Must("ada", ws, "lanyard timeout set 2h && gp timeout show && lanyard timeout extend --json && lanyard timeout set 0")
		if !strings.HasPrefix(out, "2h without use (set here)") || !strings.Contains(out, `"own":true`) || !strings.Contains(out, "\n30m without use;") {
			t.Errorf("timeout: %s", out)
		}
		if out, code := w.Exec("ada", ws, "gp timeout set 1s"); code != 2 || !strings.Contains(out, "at least 1m") {
			t.Errorf("too short: %d %s", code, out)
		}
	})

	t.Run("Variables", func(t *testing.T) {
		said := w.Must("ada", ws, `gp env FROM=inside HERE='it is' 2>&1; eval "$(gp env -e X="a'b")"; echo "[$X]"; gp env -u X; lanyard env list`)
		if !strings.Contains(said, "[a'b]") || !strings.Contains(said, "project payments") || !strings.Contains(said, "not given to workspaces here") || strings.Contains(said, "correct-horse") {
			t.Errorf("env: %s", said)
		}
		if out, code := w.Exec("ada", ws, "lanyard env set GITPOD_HOST=x"); code != 2 || !strings.Contains(out, "Lanyard's own") {
			t.Errorf("a reserved name: %d %s", code, out)
		}
		if out, code := w.Exec("ada", ws, "lanyard env unset EVERYWHERE"); code != 3 || !strings.Contains(out, "outside") {
			t.Errorf("one of another scope: %d %s", code, out)
		}
		change(t, w, "workspace: {", "workspace: {secret_variables: true, ")
		w.Eventually("secret variables are given", func() bool {
			return !strings.Contains(w.Must("ada", ws, "lanyard env list"), "not given")
		})
		restart(t, w, "ada", ws)
		if out := w.Must("ada", ws, "echo [$FROM] [$HERE] [$TOKEN]"); out != "[inside] [it is] [correct-horse]\n" {
			t.Errorf("after a restart: %q", out)
		}
		// An AI agent has its person's open variables, and neither the secret ones nor any of these commands.
		out := w.Must("ada", ws, `lanyard agent run --as reviewer -- sh -c 'echo "[$FROM] [$TOKEN]"; lanyard env set X=1; lanyard env list; lanyard stop; lanyard snapshot; echo over' 2>&1`)
		if !strings.Contains(out, "[inside] []") || strings.Contains(out, "correct-horse") || strings.Count(out, "Not allowed") != 4 || !strings.Contains(out, "over") {
			t.Errorf("an AI agent: %s", out)
		}
		w.Eventually("the log names what was given", func() bool {
			said := w.Lanyard("audit", "search", "--action", "env:secret", "--json")
			return strings.Contains(said.Out, "TOKEN") && !strings.Contains(said.Out, "correct-horse")
		})
		if strings.Contains(w.Log(), "correct-horse") {
			t.Error("a secret is in the server's log")
		}
	})

	t.Run("Snapshots", func(t *testing.T) {
		w.Must("ada", ws, `set -e; git switch -qc not-pushed; echo one > committed; git add committed; git commit -qm "Not pushed"; echo two > committed; echo new > untracked; echo "ignored" > .gitignore; echo x > ignored`)
		var taken agentapi.OwnSnapshot
		if err := json.Unmarshal([]byte(w.Must("ada", ws, "gp snapshot --json --note 'for grace'")), &taken); err != nil {
			t.Fatal(err)
		}
		if said := lanyard("snapshot", "list", "--json"); !strings.Contains(said.Out, taken.ID) || !strings.Contains(said.Out, `"note":"for grace"`) {
			t.Errorf("list: %+v", said)
		}
		for who, context := range map[string]string{"ada": taken.ID, "grace": "snapshot/" + taken.ID} { // of the same project
			args := []string{"start", context, "--json", "--yes", "--user", who}
			if who == "ada" {
				args = []string{"snapshot", "open", context, "--json", "--user", who}
			}
			said := w.Lanyard(args...)
			if said.Status != 0 {
				t.Fatalf("%v: %+v", args, said)
			}
			lines := strings.Split(strings.TrimSpace(said.Out), "\n")
			var opened api.Workspace
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &opened); err != nil {
				t.Fatal(err)
			}
			out := w.Must(who, opened, "git log -1 --format=%s; git status --porcelain; cat committed untracked; ls ignored 2>&1; git config --get remote.origin.url; git branch --show-current; git push -q --dry-run 2>&1")
			if want := "Not pushed\n M committed\n?? .gitignore\n?? untracked\ntwo\nnew\n"; !strings.HasPrefix(out, want) || !strings.HasSuffix(out, repository+"\nnot-pushed\n") || !strings.Contains(out, "No such file") {
				t.Errorf("what %s opened: %q", who, out)
			}
			if out := w.Must(who, opened, "git log --format=%s --branches --not --remotes"); out != "Not pushed\n" { // and no commit that was
				t.Errorf("what was not pushed: %q", out)
			}
			if who == "grace" { // her own of it is still Ada's, too
				var again agentapi.OwnSnapshot
				if err := json.Unmarshal([]byte(w.Must(who, opened, "lanyard snapshot --json")), &again); err != nil {
					t.Fatal(err)
				}
				for _, args := range [][]string{{"snapshot", "open", again.ID}, {"start", "snapshot/" + again.ID}} {
					said := w.Lanyard(append(args, "--user", who)...)
					if said.Status == 0 || !strings.Contains(said.Err, identity.SnapshotID(taken.ID).Fingerprint()+", taken by Ada") || !strings.Contains(said.Err, "--yes") {
						t.Errorf("%v: %+v", args, said)
					}
				}
			}
		}
		change(t, w, "- url: "+repository+"\n", "- url: "+repository+"\n    sensitive: c1\n")
		w.Eventually("opening takes a fresh sign-in", func() bool {
			said := lanyard("snapshot", "open", taken.ID)
			return said.Status == 4 && strings.Contains(said.Err, "authentication context c1")
		})
		for _, args := range [][]string{{"snapshot", "open", taken.ID}, {"snapshot", "delete", taken.ID}} {
			if said := w.Lanyard(append(args, "--user", "mallory")...); said.Status == 0 || !strings.Contains(said.Err, "There is no snapshot") || strings.Contains(said.Err, "payments") {
				t.Errorf("a stranger: %v %+v", args, said)
			}
		}
		if said := lanyard("snapshot", "delete", taken.ID); said.Status != 0 {
			t.Errorf("delete: %+v", said)
		}
		if said := lanyard("snapshot", "open", taken.ID); said.Status == 0 {
			t.Errorf("one that is gone: %+v", said)
		}
	})

	t.Run("Stop", func(t *testing.T) {
		if out, code := w.Exec("ada", ws, "lanyard stop"); code == 0 && !strings.Contains(out, "is being stopped") {
			t.Errorf("stop: %d %s", code, out)
		}
		w.Eventually("the workspace is stopped", func() bool {
			now, err := w.As("ada").Workspace(w.Context(), ws.ID)
			return err == nil && now.Phase == "stopped"
		})
	})
}
