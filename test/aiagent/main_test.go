// Package aiagent tests AI agents beside workspaces with the whole program: what they reach and what not, what the log says,
// and everything that ends them.
package aiagent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// mayShare lets ada's AI agents work on the checkout of her workspace.
const mayShare = `@id("ada-shares")
permit (principal is User, action == Action::"agent:share", resource is Workspace)
when { resource.owner == principal && resource.project == "payments" };
`

// needsApproval has somebody of payments-leads, in which grace is, approve of AI agents.
const needsApproval = `@id("ai-agents-need-approval")
@approval("edf5ca0c-4581-44d9-aa33-68a5b22cf93c")
forbid (principal, action == Action::"agent:run", resource is Workspace);
`

// start starts a world in which ada has a workspace.
func start(t *testing.T) (*harness.World, api.Workspace) {
	w := harness.StartOn(t, func(data string) {
		if err := os.MkdirAll(filepath.Join(data, "policies"), 0o755); err != nil {
			t.Fatal(err)
		}
	})
	return w, w.Workspace("ada", payments)
}

// job is a command line of ada's in the workspace that goes on.
type job struct {
	out, err *harness.Buffer
	over     chan struct{}
	status   int
	cancel   context.CancelFunc
}

// begin runs a shell line in the workspace, without waiting for it.
func begin(w *harness.World, ws api.Workspace, line string) *job {
	w.T.Helper()
	j := &job{out: &harness.Buffer{}, err: &harness.Buffer{}, over: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	j.cancel = cancel
	client := w.As("ada")
	go func() {
		defer close(j.over)
		j.status, _ = client.Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}}, agentapi.Streams{Stdout: j.out, Stderr: j.err})
	}()
	w.T.Cleanup(func() { cancel(); <-j.over })
	return j
}

// wait waits for the job's end.
func (j *job) wait(w *harness.World) {
	w.T.Helper()
	w.Eventually("the command ends", func() bool {
		select {
		case <-j.over:
			return true
		default:
			return false
		}
	})
}

// agents are the AI agents beside the workspace, as its own command lists them.
func agents(w *harness.World, ws api.Workspace) (list []agentapi.Running) {
	w.T.Helper()
	out := w.Must("ada", ws, "lanyard agent list --json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		w.T.Fatalf("%v: %s", err, out)
	}
	return list
}

// running waits for an AI agent of that name and returns it.
func running(w *harness.World, ws api.Workspace, name string) (found agentapi.Running) {
	w.T.Helper()
	w.Eventually(name+" runs", func() bool {
		for _, x := range agents(w, ws) {
			if x.Name == name && x.State == "running" {
				found = x
				return true
			}
		}
		return false
	})
	return found
}

// logged waits for an event that fits.
func logged(w *harness.World, what string, q api.AuditQuery, fits func(api.Event) bool) {
	w.T.Helper()
	w.Eventually(what+" is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), q)
		if err != nil {
			return false
		}
		for _, e := range page.Items {
			if fits(e) {
				return true
			}
		}
		return false
	})
}

func contains(text string, words ...string) bool {
	for _, one := range words {
		if !strings.Contains(text, one) {
			return false
		}
	}
	return true
}
