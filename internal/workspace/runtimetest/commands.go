package runtimetest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// testCommands looks at the commands in a workspace: they are found, they reach the server as their own workspace, by a socket
// that is in memory and in no other workspace.
func testCommands(t *testing.T, s *Server) {
	asked := make(chan identity.WorkspaceID, 1)
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, _ := tunnel.WorkspaceFrom(r.Context()); r.Method == http.MethodPost { // what the agent itself asks are GETs
			asked <- id
		}
		http.Error(w, "no token here", http.StatusForbidden)
	})
	one, other := identity.NewWorkspaceID(), identity.NewWorkspaceID()
	for _, id := range []identity.WorkspaceID{one, other} {
		s.Start(t, id)
		if got := s.Shell(t, id, "command -v lanyard; command -v gp; stat -c %a $"+agentapi.SocketEnv+"; stat -f -c %T $"+agentapi.SocketEnv); got != agentapi.CommandFolder+"/lanyard\n"+agentapi.CommandFolder+"/gp\n600\ntmpfs" {
			t.Errorf("%q", got)
		}
	}
	s.Shell(t, one, "touch "+agentapi.PrivateFolder+"/mine")
	for _, id := range []identity.WorkspaceID{other, one} {
		if got := s.Shell(t, id, "lanyard token --audience a 2>&1; echo $?"); got != "lanyard: no token here\n3" {
			t.Errorf("%q", got)
		}
		if by := <-asked; by != id {
			t.Errorf("the server heard %s, and %s asked", by, id)
		}
	}
	if got := s.Shell(t, other, "ls "+agentapi.PrivateFolder); strings.Contains(got, "mine") || !strings.Contains(got, agentapi.PrivateSocket) {
		t.Errorf("one workspace sees another's folder: %s", got)
	}
	if r := s.Exec(t, other, "/bin/sh", "-c", "cat /opt/lanyard/lanyard-agent /opt/lanyard/bin/lanyard; echo x > /opt/lanyard/bin/gp"); r.Code == 0 || strings.Contains(r.Output, "ELF") {
		t.Errorf("the commands can be read or changed: %d", r.Code)
	}
}
