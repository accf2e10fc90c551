package aiagent

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// anything is what an asking is not asked.
type anything = Siblings

// asking knows Ada's workspace alone.
type asking struct {
	anything
	ws workspace.Workspace
}

func (a asking) Get(id identity.WorkspaceID) (workspace.Workspace, bool) { return a.ws, id == a.ws.ID }

// world is a Gate for Ada's workspace, and who she is in it.
func world(t *testing.T) (*gatewaytest.World, *Gate, identity.Principal) {
	t.Helper()
	w := gatewaytest.New(t, "repositories:\n  - url: https://git.example.test/payments/api\n")
	ada := w.Workspace(gatewaytest.Ada)
	return w, New(Config{
		Access: w.Engine, Facts: w.Engine.Facts, Audit: w.Audit, Log: w.Log,
		Siblings: asking{ws: workspace.Workspace{ID: ada.Workspace, Owner: ada.User, Project: ada.Project}},
	}), ada
}

func post(t *testing.T, g *Gate, who identity.Principal, body string) error {
	t.Helper()
	r := httptest.NewRequestWithContext(web.WithPrincipal(t.Context(), who), http.MethodPost, "/agents/asks", strings.NewReader(body))
	return g.ask(httptest.NewRecorder(), r)
}

// TestAttack31WhatIsDecidedByIsOneLine: however an AI agent writes what it asks for, its person and the log see one line.
func TestAttack31WhatIsDecidedByIsOneLine(t *testing.T) {
	w, g, agent := world(t)
	agent.Kind, agent.Agent = identity.AIAgent, "hider"
	g.runs.add(&run{of: agent.Workspace, session: agent.Session, view: agentapi.Running{ID: string(agent.Session), Name: "hider", State: running, Until: time.Now().Add(time.Hour)}})

	gap := strings.Repeat(`\n`, 5000)
	if err := post(t, g, agent, `{"allow":["repo:read","repo:write `+gap+`api`+gap+`"," repo:read "],"why":"tidy`+gap+`\u001b[8mup"}`); err != nil {
		t.Fatal(err)
	}
	lines := []string{"repo:read", "repo:write https://git.example.test/payments/api"}
	list := g.asks.of(string(agent.Session))
	if len(list) != 1 || !slices.Equal(list[0].Allow, lines) || list[0].Why != "tidy [8mup" {
		t.Fatalf("kept %+v", list)
	}
	logged := w.Audit.Find("agent:ask", audit.Done)
	if len(logged) != 1 || !slices.Equal(logged[0].Detail["allow"].([]string), lines) {
		t.Errorf("logged %+v", logged)
	}
}

// TestWhoIsNoAIAgentDoesNotFillTheLog: asking as one over and over is an entry and a count.
func TestWhoIsNoAIAgentDoesNotFillTheLog(t *testing.T) {
	w, g, ada := world(t)
	now := time.Now()
	g.c.Now = func() time.Time { return now }
	for range 500 {
		if err := post(t, g, ada, `{}`); err == nil {
			t.Fatal("it may ask")
		}
	}
	if n := len(w.Audit.Find("agent:ask", audit.Denied)); n != 1 {
		t.Errorf("%d entries", n)
	}
	now = now.Add(impostorGap)
	if err := post(t, g, ada, `{}`); err == nil {
		t.Fatal("it may ask")
	}
	if list := w.Audit.Find("agent:ask", audit.Denied); len(list) != 2 || list[1].Detail["more_not_recorded"] != 499 {
		t.Errorf("%+v", list)
	}
}

// Many sessions at once take no more room than some, and none of it goes uncounted.
func TestImpostorsAreBounded(t *testing.T) {
	var s impostors
	now := time.Now()
	written, missing := 0, 0
	try := func() {
		if n, ok := s.next(identity.NewSessionID(), now); ok {
			written, missing = written+1, missing+n
		}
	}
	for range maxImpostors + 7 {
		try()
	}
	if written != maxImpostors || len(s.seen) != maxImpostors {
		t.Errorf("%d written, %d kept", written, len(s.seen))
	}
	now = now.Add(impostorGap)
	try()
	if missing != 7 || len(s.seen) != 1 {
		t.Errorf("%d were not written, %d are kept", missing, len(s.seen))
	}
}
