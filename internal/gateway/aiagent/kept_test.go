package aiagent

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// keeper keeps the work of one AI agent, and fails to hand it back when it is told to.
type keeper struct {
	never
	row   workspace.Sibling
	fails error
	ended bool
}

// never is what a keeper is not asked.
type never interface {
	Get(identity.WorkspaceID) (workspace.Workspace, bool)
	StartSibling(context.Context, workspace.SiblingOrder, func(string)) (workspace.Sibling, error)
}

func (k *keeper) Siblings(identity.WorkspaceID) []workspace.Sibling {
	return []workspace.Sibling{k.row}
}

func (k *keeper) HandBack(context.Context, identity.WorkspaceID) (workspace.Handed, error) {
	return workspace.Handed{Branch: "agent/tidy/x", Stat: "1 file changed"}, k.fails
}

func (k *keeper) EndSibling(context.Context, identity.WorkspaceID, string) error {
	k.ended = true
	return nil
}

// Work that could not be handed back is listed, and comes when its person asks for it.
func TestKeptWork(t *testing.T) {
	k := &keeper{row: workspace.Sibling{ID: "w-b", Of: "w-a", Session: "s-1", Agent: "tidy", Kept: "the server was started again"}}
	g := New(Config{Siblings: k})
	list := g.kept("w-a", nil)
	if len(list) != 1 || list[0].show().ID != "s-1" || !strings.Contains(list[0].show().Left, "started again. It is kept") {
		t.Fatalf("listed %+v", list)
	}
	if twice := g.kept("w-a", list); len(twice) != 0 {
		t.Errorf("listed twice: %+v", twice)
	}
	if _, ok := g.again(t.Context(), "w-a", "s-2"); ok {
		t.Error("another's work is handed back")
	}
	k.fails = problem.New(problem.BadUpstream, "The repository is broken.")
	if v, ok := g.again(t.Context(), "w-a", "s-1"); !ok || v.Left != "The repository is broken." || k.ended {
		t.Errorf("%+v, %v, ended %v", v, ok, k.ended)
	}
	k.fails = nil
	if v, ok := g.again(t.Context(), "w-a", "s-1"); !ok || v.Left != "" || v.Branch != "agent/tidy/x" || !k.ended {
		t.Errorf("%+v, %v, ended %v", v, ok, k.ended)
	}
	k.fails = problem.Wrap(errors.New("gone"), problem.NotFound, "It has ended.")
	if v, ok := g.again(t.Context(), "w-a", "s-1"); !ok || v.Left != "" {
		t.Errorf("handed back meanwhile: %+v, %v", v, ok)
	}
}
