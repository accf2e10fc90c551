package aiagent

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// keeper keeps the work of one AI agent, and fails to hand it back when it is told to.
type keeper struct {
	never
	row   workspace.Sibling
	fails error
	ended bool
	calls []string
}

func (k *keeper) StopSibling(context.Context, identity.WorkspaceID) error {
	k.calls = append(k.calls, "stop")
	return nil
}

func (k *keeper) DiscardSibling(context.Context, identity.WorkspaceID, string) error {
	k.calls = append(k.calls, "discard")
	return k.fails
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
	k.fails = problem.New(problem.NotFound, "There is nothing, says somebody.")
	if v, _ := g.again(t.Context(), "w-a", "s-1"); v.Left == "" {
		t.Errorf("taken for gone: %+v", v)
	}
	k.fails = problem.Wrap(workspace.ErrGone, problem.NotFound, "It has ended.")
	if v, ok := g.again(t.Context(), "w-a", "s-1"); !ok || v.Left != "" {
		t.Errorf("handed back meanwhile: %+v, %v", v, ok)
	}
}

// What is kept can be thrown away, and nothing else can.
func TestKeptWorkIsThrownAway(t *testing.T) {
	k := &keeper{row: workspace.Sibling{ID: "w-b", Of: "w-a", Session: "s-1", Agent: "tidy", Kept: "an object is refused"}}
	g := New(Config{Siblings: k})
	g.runs.add(&run{of: "w-a", session: "s-1", view: agentapi.Running{ID: "s-1", State: ended, Left: "It is kept."}})
	if _, err := g.discard(t.Context(), "w-a", "s-2"); problem.KindOf(err) != problem.NotFound || len(k.calls) > 0 {
		t.Errorf("what is not kept: %v, %v", err, k.calls)
	}
	v, err := g.discard(t.Context(), "w-a", "s-1")
	if err != nil || v.Left != "" || !slices.Equal(k.calls, []string{"discard"}) {
		t.Errorf("%+v, %v, %v", v, err, k.calls)
	}
	if left := g.runs.of("w-a")[0].show().Left; left != "" {
		t.Errorf("the list says %q", left)
	}
}

// slowRows revoke a delegation and end a session as slowly as a database may, and note that they were asked.
type slowRows struct {
	Grants
	Sessions
	k *keeper
}

func (r slowRows) Revoke(context.Context, identity.GrantID, string, audit.Event) grant.Ended {
	r.k.calls = append(r.k.calls, "revoke")
	return grant.Ended{}
}

func (r slowRows) EndSession(context.Context, identity.SessionID, string, ...audit.Event) session.Ended {
	r.k.calls = append(r.k.calls, "session")
	return session.Ended{}
}

// Who shares the workspace's checkout is ended before the database is asked for anything, also when the server ends.
func TestAttack31SharedCheckoutIsLeftFirst(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		k := &keeper{}
		g := New(Config{Siblings: k, Grants: slowRows{k: k}, Sessions: slowRows{k: k}, Facts: func() *access.Facts { return &access.Facts{Projects: &project.Set{}} }})
		one := &run{of: "w-a", sibling: "w-b", session: "s-1", over: make(chan struct{}), view: agentapi.Running{ID: "s-1", Name: "tidy", Checkout: agentapi.CheckoutShared}}
		g.finish(one, workspace.Workspace{ID: "w-a"}, nil, "its delegation has been taken back", shutdown)
		if !slices.Equal(k.calls, []string{"stop", "revoke", "session"}) {
			t.Errorf("at shutdown %v: %v", shutdown, k.calls)
		}
	}
}

// keeping keeps the work of an AI agent beside a person's workspace.
type keeping struct {
	*keeper
	ws workspace.Workspace
}

func (k keeping) Get(id identity.WorkspaceID) (workspace.Workspace, bool) { return k.ws, id == k.ws.ID }

// Throwing work away takes the person's agent:run, and the log says that it was done.
func TestThrowingAwayIsLogged(t *testing.T) {
	w, g, ada := world(t)
	k := &keeper{row: workspace.Sibling{ID: "w-b", Of: ada.Workspace, Session: "s-1", Agent: "tidy", Kept: "an object is refused"}}
	g.c.Siblings = keeping{k, workspace.Workspace{ID: ada.Workspace, Owner: ada.User, Project: ada.Project}}
	stop := func(who identity.Principal) error {
		r := httptest.NewRequestWithContext(web.WithPrincipal(t.Context(), who), http.MethodDelete, "/agents/s-1?discard=true", nil)
		r.SetPathValue("id", "s-1")
		return g.stop(httptest.NewRecorder(), r)
	}
	other := ada
	other.Kind, other.Agent = identity.AIAgent, "other"
	if err := stop(other); problem.KindOf(err) != problem.Denied || len(k.calls) > 0 {
		t.Errorf("an AI agent throws another's work away: %v, %v", err, k.calls)
	}
	if err := stop(ada); err != nil || !slices.Equal(k.calls, []string{"discard"}) {
		t.Errorf("%v, %v", err, k.calls)
	}
	gatewaytest.Eventually(t, "it is in the log", func() bool {
		return slices.ContainsFunc(w.Audit.Find(identity.AgentRun, audit.Opened), func(e audit.Event) bool {
			return e.Detail["discard"] == true && e.Detail["stop"] == "s-1"
		})
	})
}
