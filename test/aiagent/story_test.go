package aiagent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestAgents is one world: each part begins AI agents of its own.
func TestAgents(t *testing.T) {
	w, ws := start(t)
	var timed *job
	for _, part := range []struct {
		name string
		test func(*testing.T, *harness.World, api.Workspace)
	}{
		{"ItsDay", itsDay},
		{"Declared", declared},
		{"Refused", refused},
		{"AttackClaims", claims},
		{"AsksForMore", asksForMore},
		{"OnATerminal", onATerminal},
		{"Shared", shared},
		{"Approved", approved},
		{"Timed", func(_ *testing.T, w *harness.World, ws api.Workspace) {
			w.T = t // it outlives this part
			timed = begin(w, ws, "lanyard agent run --as by-time --for 15s --allow repo:read -n -- sh -c 'echo work > work.txt; sleep 600'")
		}},
		{"ManyAtOnce", manyAtOnce},
		{"Ends", func(t *testing.T, w *harness.World, ws api.Workspace) { ends(t, w, ws, timed) }},
	} {
		t.Run(part.name, func(t *testing.T) {
			w.T = t
			part.test(t, w, ws)
		})
	}
	w.T = t
}

// itsDay: it reads, builds and calls an app that it was given; its push is refused though its person may push; its work
// comes back as a branch; the log has both names.
func itsDay(t *testing.T, w *harness.World, ws api.Workspace) {
	w.Must("ada", ws, "echo draft > draft.txt")
	out := w.Must("ada", ws, `lanyard agent run --as tester --allow repo:read --allow "app:call ledger" --for 10m --no-input -- bash -c '
		cat draft.txt && git fetch -q origin && echo fetched
		curl -sS http://127.0.0.1:7070/r/ledger/whoami; echo
		echo "built by $LANYARD_AGENT" > built.txt && git add built.txt && git commit -qm Build
		git push origin HEAD:refs/heads/by-agent && echo PUSHED
		test -e /run/lanyard/../workspace/lanyard.sock && echo "a socket of its own"
		true' 2>&1`)
	if !contains(out, "draft\n", "fetched", `"act":{"sub":"agent:tester"}`, `"name":"Ada Lovelace"`, "has not delegated it to the AI agent tester",
		"is the branch agent/tester/", "+built by tester", "built.txt | 1 +") || strings.Contains(out, "PUSHED") {
		t.Errorf("its day:\n%s", out)
	}
	if out := w.Must("ada", ws, "ls; git branch --list 'agent/tester/*'; git status --short"); strings.Contains(out, "built.txt") || !contains(out, "agent/tester/", "draft.txt") {
		t.Errorf("its work is not a branch beside what is checked out:\n%s", out)
	}
	if out := w.Must("ada", ws, "git push -q origin HEAD:refs/heads/by-ada 2>&1 && echo pushed"); !strings.Contains(out, "pushed") {
		t.Errorf("its person may not push:\n%s", out)
	}
	for _, e := range []struct{ action, outcome string }{{"repo:read", "opened"}, {"app:call", "opened"}, {"repo:write", "denied"}, {"agent:ended", "done"}} {
		logged(w, e.action+" of person and agent", api.AuditQuery{Action: e.action, Outcome: e.outcome}, func(x api.Event) bool {
			return x.Actor == "agent:tester" && x.UserName == "Ada Lovelace" && x.Workspace == ws.ID
		})
	}
	logged(w, "its start", api.AuditQuery{Action: "agent:run", Outcome: "opened"}, func(x api.Event) bool {
		return x.UserName == "Ada Lovelace" && x.Detail["agent"] == "tester"
	})
	if out := w.Must("ada", ws, "lanyard agent run --as idle --allow repo:read -n -- true 2>&1"); !strings.Contains(out, "idle changed nothing") {
		t.Errorf("who changed nothing:\n%s", out)
	}
}

// declared: what the project's file says is what an AI agent gets of whom nothing else is said.
func declared(t *testing.T, w *harness.World, ws api.Workspace) {
	out := w.Must("ada", ws, `lanyard agent run --as reviewer -n -- sh -c 'curl -sS -o /dev/null -w "ledger %{http_code}\n" http://127.0.0.1:7070/r/ledger/whoami; exit 7' 2>&1; echo "status $?"`)
	if !contains(out, "ledger 200", "status 7", "app:call") {
		t.Errorf("as declared:\n%s", out)
	}
}

// refused: what cannot be given is refused by name, before anything starts.
func refused(t *testing.T, w *harness.World, ws api.Workspace) {
	for line, words := range map[string]string{
		"--as x --allow workspace:open -- true":                "126 cannot be given to an AI agent",
		"--as x --allow repo:fly -- true":                      "2 There is no action",
		"--as x --allow 'app:call vault' -- true":              `126 There is no app`,
		"--as x --allow repo:maintain -- true":                 "126 You cannot give repo:maintain",
		"--as X --allow repo:read -- true":                     "2 An AI agent's name",
		"--as nobody -- true":                                  "2 --allow repo:read",
		"--as x --allow repo:read --for 48h -- true":           "2 between",
		"--as x --allow repo:read --checkout shared -- true":   "126 agent:share",
		"--as x --allow repo:read --checkout mine -- true":     "2 copy or shared",
		"--as x --allow repo:read -- no-such-program-anywhere": "127 not found",
		"--allow repo:read -- true":                            "2 --as NAME",
	} {
		status, text, _ := strings.Cut(words, " ")
		out, code := w.Exec("ada", ws, "lanyard agent run -n "+line+" 2>&1")
		if strconv.Itoa(code) != status || !strings.Contains(out, text) {
			t.Errorf("%s: %d, wanted %s: %s", line, code, words, out)
		}
	}
}

// asksForMore: an AI agent asks, its person decides, and it has the more for as long as it runs.
func asksForMore(t *testing.T, w *harness.World, ws api.Workspace) {
	j := begin(w, ws, `lanyard agent run --as asker --allow repo:read -n -- sh -c '
		lanyard agent ask --allow repo:write --why "the branch is ready" || exit 9
		git push -q origin HEAD:refs/heads/asked && echo PUSHED
		lanyard agent ask --allow app:call --why "curious"; echo "refused $?"'`)
	pending := func(action string) {
		w.Eventually("it asks for "+action, func() bool {
			out, _ := w.Exec("ada", ws, "lanyard agent list")
			return contains(out, "asker asks for "+action)
		})
	}
	pending("repo:write")
	if out := w.Must("ada", ws, "lanyard agent approve asker --why fine"); !strings.Contains(out, "approved") {
		t.Error(out)
	}
	pending("app:call")
	w.Must("ada", ws, "lanyard agent refuse asker --why 'not today'")
	j.wait(w)
	if !contains(j.out.String(), "PUSHED", "refused: not today", "refused 3") || j.status != 0 {
		t.Errorf("%d: %s%s", j.status, j.out, j.err)
	}
	logged(w, "what it asked for", api.AuditQuery{Action: "agent:ask"}, func(x api.Event) bool { return x.Actor == "agent:asker" })
	logged(w, "what it was given", api.AuditQuery{Action: "grant:delegate"}, func(x api.Event) bool {
		lines, _ := x.Detail["allowed"].([]any)
		return x.Detail["agent"] == "asker" && len(lines) == 2
	})
}

// onATerminal: an interactive program works, with the size of the person's terminal.
func onATerminal(t *testing.T, w *harness.World, ws api.Workspace) {
	term := w.Terminal("ada", ws)
	if err := term.Type("clear; lanyard agent run --as typist --allow repo:read -- bash --norc -i\n"); err != nil {
		t.Fatal(err)
	}
	running(w, ws, "typist")
	if err := term.Type("stty size | sed 's/^/size /'; tty | sed 's/^/on /'\n"); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the shell answers with its terminal", func() bool { return contains(term.Output(), "size 40 160", "on /dev/pts/") })
	if err := term.Type("exit\n"); err != nil {
		t.Fatal(err)
	}
	w.Eventually("it has ended", func() bool { return contains(term.Output(), "typist changed nothing") })
}

// shared: it works on the checkout itself where a policy permits that, with a warning, and for as long as it does.
func shared(t *testing.T, w *harness.World, ws api.Workspace) {
	file := filepath.Join(w.Data, "policies", "share.cedar")
	if err := os.WriteFile(file, []byte(mayShare), 0o644); err != nil {
		t.Fatal(err)
	}
	line := "lanyard agent run --as mate --allow repo:read --checkout shared -n -- "
	w.Eventually("the policy is in force", func() bool {
		out, code := w.Exec("ada", ws, line+"sh -c 'echo together > together.txt' 2>&1")
		return code == 0 && contains(out, "warning", "own checkout")
	})
	if out := w.Must("ada", ws, "cat together.txt"); out != "together\n" {
		t.Error(out)
	}
	j := begin(w, ws, line+"sleep 600")
	running(w, ws, "mate")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	j.wait(w)
	if j.status != 126 || !strings.Contains(j.err.String(), "no policy allows any more") {
		t.Errorf("after the policy went: %d %s", j.status, j.err)
	}
}

// approved: where a policy wants an approval for running one, the refusal says how to ask, and who is approved runs it, for as
// long as the approval holds.
func approved(t *testing.T, w *harness.World, ws api.Workspace) {
	file := filepath.Join(w.Data, "policies", "approval.cedar")
	if err := os.WriteFile(file, []byte(needsApproval), 0o644); err != nil {
		t.Fatal(err)
	}
	line := "lanyard agent run --as careful --allow repo:read -n -- "
	w.Eventually("it takes an approval", func() bool {
		out, code := w.Exec("ada", ws, line+"true 2>&1")
		return code == 126 && contains(out, "lanyard request agent:run "+ws.ID)
	})
	if said := w.Lanyard("request", "agent:run", ws.ID, "--why", "month end", "--user", "ada"); said.Status != 0 {
		t.Fatalf("she cannot ask: %s", said.Err)
	}
	var waiting api.Page[api.Request]
	if said := w.Lanyard("requests", "--to-approve", "--user", "grace", "--json"); json.Unmarshal([]byte(said.Out), &waiting) != nil || len(waiting.Items) != 1 {
		t.Fatalf("grace is not asked: %s%s", said.Out, said.Err)
	}
	id := waiting.Items[0].ID
	if said := w.Lanyard("approve", id, "--user", "grace"); said.Status != 0 {
		t.Fatalf("grace cannot approve: %s", said.Err)
	}
	j := begin(w, ws, line+"sleep 600")
	running(w, ws, "careful")
	revoke(w, "grant", id)
	j.wait(w)
	if j.status != 126 || !strings.Contains(j.err.String(), "takes the approval") && !strings.Contains(j.err.String(), id) {
		t.Errorf("after the approval went: %d %s", j.status, j.err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.Eventually("it takes no approval any more", func() bool {
		_, code := w.Exec("ada", ws, line+"true")
		return code == 0
	})
}

// manyAtOnce: as many as there are stand beside one workspace at one time, each on its own.
func manyAtOnce(t *testing.T, w *harness.World, ws api.Workspace) {
	n, within, pause := 4, harness.Wait, "0.2"
	if os.Getenv("LANYARD_SLOW") != "" {
		n, within, pause = 100, 10*harness.Wait, "3"
	} else {
		t.Log("four at once; a hundred with LANYARD_SLOW=1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var all sync.WaitGroup
	said, since := make([]string, n), time.Now()
	for i := range n {
		all.Go(func() {
			name := "many-" + strconv.Itoa(i)
			said[i], _, _ = w.TryExec(ctx, "ada", ws, `lanyard agent run --as `+name+` --allow repo:read,app:call -n -- sh -c '
				echo '$i' > mine.txt
				until curl -sS http://127.0.0.1:7070/r/ledger/entries | grep -q everybody-is-here; do sleep `+pause+`; done
				curl -sS http://127.0.0.1:7070/r/ledger/whoami' 2>&1`)
		})
	}
	here := 0
	for ; here < n && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		here = 0
		for _, x := range agents(w, ws) {
			if strings.HasPrefix(x.Name, "many-") && x.State == "running" {
				here++
			}
		}
	}
	t.Logf("%d AI agents run beside one workspace, %s after the first was ordered", here, time.Since(since).Round(time.Millisecond))
	w.Must("ada", ws, `curl -sS -X POST -H 'Content-Type: application/json' -d '{"text":"everybody-is-here","amount_minor":1}' http://127.0.0.1:7070/r/ledger/entries`)
	all.Wait()
	t.Logf("all had handed their work back %s after", time.Since(since).Round(time.Millisecond))
	for i, out := range said {
		if name := "many-" + strconv.Itoa(i); !contains(out, `"act":{"sub":"agent:`+name+`"}`, "is the branch agent/"+name+"/", "mine.txt") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}
