package apiserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
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

// What a policy says of a class holds however a workspace of it would begin to run.
func TestAttack26ClassesHoldOnEveryWayIn(t *testing.T) {
	w := newWorld(t)
	order := func(context, class string) (api.Workspace, error) {
		return w.as(ada).CreateWorkspace(t.Context(), api.Order{ContextURL: context, Class: class})
	}
	large, err := order(apiURL, "large")
	if err != nil {
		t.Fatal(err)
	}
	small, err := order(apiURL, "small")
	if err != nil {
		t.Fatal(err)
	}
	w.decree(`forbid (principal, action in [Action::"workspace:create", Action::"workspace:start"], resource) when { context has class && context.class == "large" };`)
	if _, err := w.as(ada).StartWorkspace(t.Context(), large.ID); status(err) != http.StatusForbidden {
		t.Error("one that is there is started:", err)
	}
	if _, err := w.as(ada).StartWorkspace(t.Context(), small.ID); err != nil {
		t.Error("another class:", err)
	}
	for _, context := range []string{apiURL, "snapshot/snap-aaaaaaaaaaaaaaaa"} {
		if _, err := order(context, "large"); status(err) != http.StatusForbidden {
			t.Errorf("made of %s: %v", context, err)
		}
		if _, err := order(context, "small"); err != nil {
			t.Errorf("another class, of %s: %v", context, err)
		}
	}
}
