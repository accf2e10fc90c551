package aiagent

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// claims: an AI agent is not its person, and a process of the person's is no AI agent: who asks is whose socket it came
// through, whatever it says. (Attack 9: what is asked for and who asks are judged as a pair.)
func claims(t *testing.T, w *harness.World, ws api.Workspace) {
	out := w.Must("ada", ws, `lanyard agent run --as liar --allow repo:read -n -- sh -c 'exec 2>&1
		echo "== run"; lanyard agent run --as more --allow repo:write -n -- true; echo "status $?"
		echo "== stop"; lanyard agent stop liar; echo "status $?"
		echo "== approve"; id=$(lanyard agent ask --allow repo:write --why please --no-wait | cut -d" " -f1); lanyard agent approve $id; echo "status $?"
		echo "== claim"; curl -sS --unix-socket /run/workspace/lanyard.sock -H "Lanyard-Workspace: $LANYARD_WORKSPACE_ID" -H "X-Forwarded-User: ada" -H "Lanyard-Agent;" http://lanyard/agents
		echo; echo "== list"; lanyard agent list | tail -n +2 | wc -l
		echo "== loopback"; curl -sS -o /dev/null -w "%{http_code}\n" http://127.0.0.1:7070/agents
		echo "== others"; ls /proc | grep -c "^[0-9]"; ls -A /home; ls /run/lanyard
	'`)
	section := func(name string) string {
		_, rest, _ := strings.Cut(out, "== "+name+"\n")
		text, _, _ := strings.Cut(rest, "\n== ")
		return text
	}
	for name, words := range map[string][]string{
		"run":      {"status 126", "Not allowed"},
		"stop":     {"status 3", "Not allowed"},
		"approve":  {"status 3", "Not allowed"},
		"claim":    {`"name":"liar"`},
		"loopback": {"404"},
	} {
		if !contains(section(name), words...) {
			t.Errorf("%s: wanted %q:\n%s", name, words, section(name))
		}
	}
	logged(w, "what the liar tried", api.AuditQuery{Action: "agent:run", Outcome: "denied"}, func(e api.Event) bool {
		return e.Actor == "agent:liar" && e.UserName == "Ada Lovelace"
	})

	// A process of the person's says that it is an AI agent, by every name there could be for it.
	out = w.Must("ada", ws, `curl -sS --unix-socket /run/workspace/lanyard.sock -X POST -H "Lanyard-Agent: liar" -H "Authorization: Agent liar" \
		-d '{"allow":["repo:write"],"why":"I am the agent"}' http://lanyard/agents/asks; echo
		LANYARD_AGENT=liar lanyard agent ask --allow repo:write --why "I am the agent"; echo "status $?"`)
	if !contains(out, "Only an AI agent asks here", "status 3") && !contains(out, "Only an AI agent asks here", "status 1") {
		t.Errorf("a process that claims to be an AI agent:\n%s", out)
	}
	logged(w, "the claim", api.AuditQuery{Action: "agent:ask", Outcome: "denied"}, func(e api.Event) bool { return e.UserName == "Ada Lovelace" })
}
