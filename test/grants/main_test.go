// Package grants tests asking for access, approving it, breaking the glass, and what closes when a grant ends, with the
// whole program.
package grants

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	payments = "https://git.example.test/payments/api"
	// leads is the object ID of payments-leads, in which grace is.
	leads = "edf5ca0c-4581-44d9-aa33-68a5b22cf93c"
)

const needsApproval = `@id("ledger-needs-approval")
@approval("` + leads + `")
forbid (principal, action == Action::"app:call", resource is App)
when { resource.name == "ledger" };
`

// start starts a world in which calling the ledger needs approval.
func start(t *testing.T) *harness.World {
	return harness.StartOn(t, func(data string) {
		folder := filepath.Join(data, "policies")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "approvals.cedar"), []byte(needsApproval), 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// run runs a command that has to succeed and reads the object that it prints.
func run[T any](w *harness.World, args ...string) (v T) {
	w.T.Helper()
	said := w.Lanyard(append(args, "--json")...)
	if said.Status != 0 {
		w.T.Fatalf("lanyard %s: %d %s", strings.Join(args, " "), said.Status, said.Err)
	}
	if err := json.Unmarshal([]byte(said.Out), &v); err != nil {
		w.T.Fatalf("lanyard %s: %v: %s", strings.Join(args, " "), err, said.Out)
	}
	return v
}

// refused runs a command that has to be refused with an exit status and words.
func refused(w *harness.World, status int, words string, args ...string) {
	w.T.Helper()
	said := w.Lanyard(args...)
	if said.Status != status || !strings.Contains(said.Err, words) {
		w.T.Errorf("lanyard %s: %d %s%s; wanted %d and %q", strings.Join(args, " "), said.Status, said.Out, said.Err, status, words)
	}
}

// stream is a long answer of the ledger to a program in a workspace.
type stream struct {
	out   *harness.Buffer
	ended chan time.Time
}

func watch(w *harness.World, ws api.Workspace) *stream {
	w.T.Helper()
	s := &stream{out: &harness.Buffer{}, ended: make(chan time.Time, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	client, over := w.As("ada"), make(chan struct{})
	go func() {
		defer close(over)
		_, _ = client.Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"curl", "-sSN", "http://127.0.0.1:7070/r/ledger/watch"}},
			agentapi.Streams{Stdout: s.out, Stderr: s.out}) // how it ends, the test sees in what it printed
		s.ended <- time.Now()
	}()
	w.T.Cleanup(func() { cancel(); <-over })
	w.Eventually("the stream flows", func() bool { return strings.Contains(s.out.String(), "event: balance") })
	return s
}

// cut waits for the stream's end and returns how long after a moment it came.
func (s *stream) cut(w *harness.World, since time.Time) time.Duration {
	w.T.Helper()
	select {
	case at := <-s.ended:
		return at.Sub(since)
	case <-time.After(harness.Wait):
		w.T.Fatalf("still open:\n%s", s.out)
		return 0
	}
}
