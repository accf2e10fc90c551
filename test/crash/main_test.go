// Package crash ends the server, the agent and whatever else in the middle of work, and tampers with what is left: a
// restart loses nothing, nothing is left over, and the audit log tells.
package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	who        = "ada"
	repository = "https://git.example.test/payments/api"
)

// sandbox is a workspace as the machine sees it.
type sandbox struct {
	label string
	agent int // process 1, by its number on the machine
}

func sandboxOf(w *harness.World, ws api.Workspace) sandbox {
	w.T.Helper()
	s := sandbox{label: identity.WorkspaceID(ws.ID).Label()}
	var state struct {
		Process *struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	b, err := os.ReadFile(filepath.Join(w.Data, "server", "sandbox", "w", s.label, "state.json"))
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	if err != nil || state.Process == nil {
		w.T.Fatalf("the state of %s: %v", ws.ID, err)
	}
	s.agent = state.Process.PID
	return s
}

// processes are those inside the workspace: they have its files mounted. Where the test is not root, the agent, which
// is undumpable, is not among them.
func (s sandbox) processes() (found []int) {
	for _, pid := range allProcesses() {
		mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if err == nil && strings.Contains(string(mounts), "/sandbox/w/"+s.label+"/files ") {
			found = append(found, pid)
		}
	}
	return found
}

func allProcesses() (pids []int) {
	entries, _ := os.ReadDir("/proc") // there always is one
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// mentioning lists the processes whose arguments name the world's data: servers, and bubblewrap for each workspace.
func mentioning(w *harness.World) (found []string) {
	for _, pid := range allProcesses() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && (strings.Contains(string(b), w.Data+"/") || strings.Contains(string(b), w.Data+"\x00")) {
			found = append(found, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(b), "\x00", " ")))
		}
	}
	return found
}

// folders are what the machine keeps of workspaces.
func folders(w *harness.World) (found []string) {
	w.T.Helper()
	for _, pattern := range []string{"server/s/*", "server/sandbox/w/*"} {
		list, err := filepath.Glob(filepath.Join(w.Data, pattern))
		if err != nil {
			w.T.Fatal(err)
		}
		found = append(found, list...)
	}
	return found
}

// phase is the workspace's, or "deleted".
func phase(w *harness.World, id string) string {
	ws, err := w.Operator.Workspace(w.Context(), id)
	if err != nil {
		var refused *api.Error
		if as(err, &refused) && refused.Status == 404 {
			return "deleted"
		}
		w.T.Fatalf("ask for %s: %v", id, err)
	}
	if ws.Phase != ws.Desired {
		return ws.Phase + ", wanted " + ws.Desired
	}
	return ws.Phase
}

// reaches waits until a workspace is as it is wanted, and that is as expected.
func reaches(w *harness.World, id, want string) {
	w.T.Helper()
	last := ""
	defer func() {
		if w.T.Failed() {
			w.T.Logf("%s is %s", id, last)
		}
	}()
	w.Eventually("workspace "+id+" is "+want, func() bool { last = phase(w, id); return last == want })
}

// soon runs a shell line in a workspace whose agent may still be on its way back to a new server.
func soon(w *harness.World, ws api.Workspace, line string) string {
	w.T.Helper()
	var out string
	var code int
	w.Eventually("the agent is back", func() bool {
		var err error
		out, code, err = w.TryExec(w.Context(), who, ws, line)
		return err == nil
	})
	if code != 0 {
		w.T.Fatalf("%q ended with %d:\n%s", line, code, out)
	}
	return out
}
