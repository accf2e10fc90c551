package runtimetest

import (
	"context"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// testBegin is for a runtime that begins before the image is there: whatever comes after that, and whoever, the workspace starts or
// is gone.
func testBegin(t *testing.T, s *Server) {
	begin := func(t *testing.T, id identity.WorkspaceID, want bool) {
		t.Helper()
		b, ok := s.Runtime.(workspace.Beginner)
		if !ok {
			t.Skip("it does all at the start")
		}
		fresh, err := b.Begin(Context(t), workspace.Spec{ID: id, Name: "sample"}, func(string) {})
		if err != nil || fresh != want {
			t.Fatalf("fresh %v, want %v; %v", fresh, want, err)
		}
	}
	id := identity.NewWorkspaceID()
	s.made = append(s.made, id)
	begin(t, id, true)
	s.wantRunning(t, id, false)
	begin(t, id, false)
	s.Restart(t) // the server died in between
	begin(t, id, false)
	s.Start(t, id)
	s.Shell(t, id, "echo kept > /workspace/file && echo kept > ~/file")
	begin(t, id, false)
	s.wantRunning(t, id, true)
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Hub.Close(id)
	begin(t, id, false)
	s.Start(t, id)
	if got := s.Shell(t, id, "cat /workspace/file ~/file"); got != "kept\nkept" {
		t.Errorf("files %q", got)
	}

	given := identity.NewWorkspaceID()
	s.made = append(s.made, given)
	begin(t, given, true)
	if err := s.Runtime.Delete(Context(t), given); err != nil {
		t.Fatal(err)
	}
	if o, there := s.observe(t, given); there {
		t.Errorf("left: %+v", o)
	}
	begin(t, given, true)
	s.Start(t, given)

	ended, end := context.WithCancel(Context(t))
	end()
	late := identity.NewWorkspaceID()
	s.made = append(s.made, late)
	fresh, err := s.Runtime.(workspace.Beginner).Begin(ended, workspace.Spec{ID: late, Name: "sample"}, func(string) {})
	if _, there := s.observe(t, late); there && !fresh {
		t.Errorf("it was given up (%v), something is there, and nobody is told", err)
	}
}
