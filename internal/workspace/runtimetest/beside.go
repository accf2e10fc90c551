package runtimetest

import (
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// testBeside starts two workspaces beside one: the first with files of its own, the second with that one's.
func testBeside(t *testing.T, s *Server) {
	id, own, shared := identity.NewWorkspaceID(), identity.NewWorkspaceID(), identity.NewWorkspaceID()
	s.Start(t, id)
	s.StartBeside(t, own, id, false)
	s.StartBeside(t, shared, id, true)
	s.Shell(t, id, "echo '"+unique(id)+"' | tee /workspace/file > ~/file; sleep 12345 >/dev/null 2>&1 &")
	if got := s.Shell(t, own, "ls -A /workspace; ls ~/file 2>/dev/null; grep -l 1234[5] /proc/[0-9]*/cmdline; ls /tmp"); got != "" {
		t.Errorf("what stands beside sees %q", got)
	}
	if got := s.Shell(t, shared, "cat /workspace/file; ls ~/file 2>/dev/null; grep -l 1234[5] /proc/[0-9]*/cmdline; echo more >> /workspace/file"); got != unique(id) {
		t.Errorf("what shares the files sees %q", got)
	}
	if got := s.Shell(t, id, "cat /workspace/file"); got != unique(id)+"\nmore" {
		t.Errorf("the shared file is %q", got)
	}
	for _, o := range []identity.WorkspaceID{own, shared} {
		if seen, _ := s.observe(t, o); seen.Beside != id {
			t.Errorf("listed %+v, want it beside %s", seen, id)
		}
	}
	if err := s.Runtime.Delete(Context(t), shared); err != nil {
		t.Fatal(err)
	}
	s.Shell(t, id, "cat /workspace/file")
	s.Shell(t, own, "echo mine > /workspace/mine")

	s.Restart(t) // what is known of who stands beside whom outlives the server
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.wantRunning(t, id, false)
	s.wantRunning(t, own, false)
	s.StartBeside(t, own, id, false) // beside one that does not run, for its files
	if got := s.Shell(t, own, "cat /workspace/mine"); got != "mine" {
		t.Errorf("the files are %q", got)
	}
	if err := s.Runtime.Delete(Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.wantRunning(t, own, false)
}

// StartBeside starts a workspace beside another and waits for its agent.
func (s *Server) StartBeside(t *testing.T, id, beside identity.WorkspaceID, shares bool) {
	t.Helper()
	s.made = append(s.made, id)
	spec := s.Spec(id)
	spec.Beside, spec.SharesFiles = beside, shares
	if err := s.Runtime.Start(Context(t), spec, nil); err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := s.Hub.Wait(Context(t), id); err != nil {
		t.Fatalf("the agent did not connect: %v", err)
	}
}
