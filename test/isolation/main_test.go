// Package isolation tries, from a real workspace of the whole program, to reach what is not its: the machine, the
// server, other people's workspaces, other projects.
package isolation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// The two people, each in a workspace of a project of their own.
const (
	who   = "ada"
	other = "alan"
)

// prison is a world with two people's workspaces, and the probe in the first.
type prison struct {
	*harness.World
	ws, other api.Workspace
	probe     string // on the machine
}

func newPrison(t *testing.T) *prison {
	t.Helper()
	p := &prison{World: harness.Start(t)}
	p.ws = p.Workspace(who, "https://git.example.test/payments/api")
	p.other = p.Workspace(other, "https://git.example.test/shop/web")
	p.probe = filepath.Join(t.TempDir(), "probe")
	build := exec.Command("go", "build", "-o", p.probe, "github.com/lanyardhq/lanyard/test/isolation/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.install(who, p.ws)
	return p
}

// install brings the probe into a workspace by way of its agent.
func (p *prison) install(user string, ws api.Workspace) {
	p.T.Helper()
	b, err := os.ReadFile(p.probe)
	if err != nil {
		p.T.Fatal(err)
	}
	var said harness.Buffer
	code, err := p.As(user).Exec(p.Context(), ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", "cat >~/probe && chmod +x ~/probe"}},
		agentapi.Streams{Stdin: bytes.NewReader(b), Stdout: &said, Stderr: &said})
	if err != nil || code != 0 {
		p.T.Fatalf("%d %v %s", code, err, said.String())
	}
}

func label(ws api.Workspace) string { return identity.WorkspaceID(ws.ID).Label() }

// agent is process 1 of a workspace, by its number on the machine.
func (p *prison) agent(ws api.Workspace) int {
	p.T.Helper()
	var state struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	b, err := os.ReadFile(filepath.Join(p.Data, "server", "sandbox", "w", label(ws), "state.json"))
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	if err != nil || state.Process.PID == 0 {
		p.T.Fatalf("the state of %s: %v", ws.ID, err)
	}
	return state.Process.PID
}

// try makes attempts inside, all in one command, and returns what came of each.
func (p *prison) try(attempts []string) []string {
	p.T.Helper()
	var script strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&script, "~/probe %s 2>&1 | tr '\\n' ' '; echo\n", a)
	}
	out := p.Must(who, p.ws, script.String())
	results := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(results) != len(attempts) {
		p.T.Fatalf("%d attempts, %d results:\n%s", len(attempts), len(results), out)
	}
	for i := range results {
		results[i] = strings.TrimSpace(results[i])
	}
	return results
}

// here makes one attempt outside, as the server's user.
func (p *prison) here(attempt string) string {
	p.T.Helper()
	out, err := exec.Command(p.probe, strings.Fields(attempt)...).CombinedOutput()
	if err != nil {
		p.T.Fatalf("%s: %v %s", attempt, err, out)
	}
	return strings.TrimSpace(string(out))
}
