package apiserver

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// holding is a Machine whose workspaces hold work in one of two folders.
type holding struct{ Machine }

func (holding) Unsaved(context.Context, identity.WorkspaceID) (*workspace.Unsaved, agentapi.Work, error) {
	return &workspace.Unsaved{Changed: 1}, agentapi.Work{Checkouts: []agentapi.CheckoutWork{{Folder: "takeover", Changed: 1}, {Folder: "api"}}}, nil
}

// Whoever may delete a workspace of somebody else learns that work would be lost, not what its folders are called.
func TestOnlyItsOwnerReadsWhereWorkWouldBeLost(t *testing.T) {
	s := &server{c: Config{Machine: holding{}}}
	for who, named := range map[identity.UserID]bool{ada: true, barbara: false} {
		r := httptest.NewRequest("DELETE", "/", nil)
		r = r.WithContext(web.WithPrincipal(r.Context(), person(who)))
		err := s.losesNothing(r, workspace.Workspace{Owner: ada})
		if err == nil || !strings.Contains(err.Error(), "would be lost") || strings.Contains(err.Error(), "takeover") != named {
			t.Errorf("%s: %v", who.Object, err)
		}
	}
}
